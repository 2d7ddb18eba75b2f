import { type Extracted, extractDelta } from "@weft/convert";
import { type Device, type Tensor } from "@weft/tensor-core";
import type { TensorJob } from "../../plan/tensor-job.js";
import { createTileBackend } from "../../plan/tile-backend.js";
import type { MergeLoss } from "../../quantize/merge-loss.js";
import { matrixOf } from "../../quantize/encode-job.js";
import { TileEngine } from "../../run/engine.js";
import { type JobContext, runJob } from "../../run/run-job.js";
import { TileMemory } from "../../run/tile-memory.js";
import { FileSet } from "../file-set.js";
import { freeEntries, type MeasureDone, type MeasureTask, type Post, type Shared } from "../worker-task.js";
import { ValueReader } from "./value-reader.js";

/** Compares what is stored of merged weights with what they should be. @throws IoError, CancelledError */
export async function measureMerges(task: MeasureTask, shared: Shared, post: Post<MeasureDone>): Promise<void> {
  const { jobs, plans, values, written, tileBytes, rank } = task;
  const backend = await createTileBackend();
  const files = new FileSet();
  const [base, stored] = [new ValueReader(files, values), new ValueReader(files, written)];
  const memory = new TileMemory(backend);
  const context: Omit<JobContext, "sink"> = {
    backend,
    engine: new TileEngine(backend, plans, task.stats),
    files: base,
    tileBytes,
    allowNonFinite: true,
    stats: task.stats,
    stopped: () => Atomics.load(shared.control, 1) !== 0,
    progress: (bytes) => void Atomics.add(shared.done, 0, BigInt(bytes)),
  };
  try {
    for await (const index of freeEntries(task, shared)) {
      const job = jobs[index]!;
      const rest = rank === undefined ? undefined : new Rest(await stored.rows.device(), matrixOf(job));
      const measured = new Measure(job, base, stored, rest);
      await runJob(
        job,
        { ...context, sink: { write: (_, tile, start, length, at) => measured.take(tile.slice(start, start + length), at) } },
        memory,
      );
      const loss = await measured.sums();
      post(index, { loss, ...(rest && { factors: await rest.factors(rank!) }) }, []);
    }
  } finally {
    await memory.idle().catch(() => {});
    await Promise.all([base.close(), stored.close(), files.close()]);
    backend.dispose();
  }
}

/** Adds up over pieces of a weight. */
class Measure {
  private readonly loss: { -readonly [key in keyof MergeLoss]: number } = { wanted: 0, change: 0, error: 0, kept: 0 };
  private queue: Promise<void> = Promise.resolve();

  constructor(
    private readonly job: TensorJob,
    private readonly base: ValueReader,
    private readonly stored: ValueReader,
    private readonly rest: Rest | undefined,
  ) {}

  /** @param piece values as they should be, from byte `at` on */
  take(piece: Uint8Array, at: number): Promise<void> {
    return (this.queue = this.queue.then(() => this.add(piece, at)));
  }

  async sums(): Promise<MergeLoss> {
    await this.queue;
    return this.loss;
  }

  private async add(piece: Uint8Array, at: number): Promise<void> {
    const { like } = this.job.stored!;
    const [w, q] = [new Uint8Array(piece.byteLength), new Uint8Array(piece.byteLength)];
    await this.base.readInto(like, w, at);
    await this.stored.readInto(like, q, at);
    const [wanted, before, after] = [piece, w, q].map(({ buffer }) => new Float32Array(buffer)) as [
      Float32Array,
      Float32Array,
      Float32Array,
    ];
    const { loss } = this;
    for (let i = 0; i < wanted.length; i++) {
      const change = wanted[i]! - before[i]!;
      const error = wanted[i]! - after[i]!;
      loss.wanted += wanted[i]! ** 2;
      loss.change += change ** 2;
      loss.error += error ** 2;
      loss.kept += (after[i]! - before[i]!) * change;
      after[i] = error;
    }
    this.rest?.put(q, at);
  }
}

/** What is not in the stored weight, in the device's memory. */
class Rest {
  private readonly buffer: ReturnType<Device["backend"]["allocate"]>;
  private readonly matrix: Tensor;

  constructor(
    private readonly device: Device,
    private readonly shape: readonly [number, number],
  ) {
    this.buffer = device.backend.allocate(4 * shape[0] * shape[1]);
    this.matrix = device.adopt(this.buffer, [...shape], "f32");
  }

  put(bytes: Uint8Array, at: number): void {
    this.device.backend.upload(this.buffer, bytes, at);
  }

  async factors(rank: number): Promise<Extracted> {
    try {
      return (await extractDelta(this.shape, this.matrix, { rule: { kind: "fixed", value: rank } })) as Extracted;
    } finally {
      this.matrix.dispose();
    }
  }
}
