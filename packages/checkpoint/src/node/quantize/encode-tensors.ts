import { createHash, type Hash } from "node:crypto";
import { afterOtherTasks, CancelledError, encode, FormatError } from "@weft/tensor-core";
import { rowsPerBlock } from "@weft/quant-nf4-awq";
import type { StoredPart } from "../../plan/tensor-job.js";
import { encoderFormat, type EncodeJob, matrixOf, tileRows } from "../../quantize/encode-job.js";
import { targetOf } from "../../quantize/targets.js";
import type { WeightDType } from "../../plan/plan-merge.js";
import { DirectFile } from "../direct-file.js";
import { FileSet, TILE_BYTES } from "../file-set.js";
import type { EncodeDone, EncodeTask } from "../worker-task.js";
import { freeEntries, type Post, type Shared } from "../worker-task.js";
import type { RowSource } from "../../quantize/row-source.js";
import { RowReader } from "./row-reader.js";
import { WeightWriter } from "./weight-writer.js";

/** Encodes values into their files. @throws FormatError kind `non-finite`, IoError, CancelledError */
export async function encodeTensors({ jobs, outputs }: EncodeTask, shared: Shared, post: Post<EncodeDone>): Promise<void> {
  const files = new FileSet();
  const reader = new RowReader(files);
  const opened = new Map<number, DirectFile>();
  const fileOf = (shard: number): DirectFile => {
    const known = opened.get(shard) ?? new DirectFile(outputs[shard]!.path, outputs[shard]!.name);
    opened.set(shard, known);
    return known;
  };
  try {
    for await (const index of freeEntries({ kind: "encode", jobs, outputs }, shared)) {
      const job = jobs[index]!;
      const encoder = new JobEncoder(job, fileOf(job.shard), files, reader, shared);
      post(index, await encoder.run(), []);
    }
  } finally {
    for (const file of opened.values()) file.close();
    await reader.close();
    await files.close();
  }
}

/** The largest numbers that round to finite ones. */
const LARGEST: Readonly<Record<WeightDType, number>> = { f32: Infinity, bf16: (2 - 2 ** -8) * 2 ** 127, f16: 65520 };

/** One job on its way into a file. */
class JobEncoder {
  private readonly hashes = new Map<string, Hash>();
  private readonly told: () => boolean;
  private done = 0;

  constructor(
    private readonly job: EncodeJob,
    private readonly file: DirectFile,
    private readonly files: FileSet,
    private readonly reader: RowReader,
    private readonly shared: Shared,
  ) {
    this.told = () => Atomics.load(shared.control, 1) !== 0;
  }

  async run(): Promise<EncodeDone> {
    const { job } = this;
    try {
      if (job.to.kind === "copy") this.copy(job.source.at, job.tensors[0]!);
      else if (job.to.kind === "made")
        for (const made of job.to.tensors)
          this.copy(
            made,
            job.tensors.find(({ key }) => key === made.key)!,
          );
      else if (job.to.kind === "cast") await this.cast(job.to.dtype);
      else await this.encode();
    } catch (error) {
      throw named(error, job);
    }
    this.progress(job.bytes);
    return { hashes: [...this.hashes].map(([name, hash]) => [name, hash.digest("hex")]) };
  }

  private copy({ file, offset, bytes }: RowSource["at"], tensor: StoredPart): void {
    const buffer = new Uint8Array(Math.min(TILE_BYTES, bytes));
    for (let at = 0; at < bytes || at === 0; at += TILE_BYTES) {
      this.check();
      const piece = buffer.subarray(0, Math.min(TILE_BYTES, bytes - at));
      this.files.readInto(file, piece, offset + at);
      this.write(tensor, piece, at);
    }
  }

  private async cast(dtype: WeightDType): Promise<void> {
    let at = 0;
    await this.eachTile(1, (values, row) => {
      this.refuseBeyond(values, row, dtype);
      const bytes = encode(values, dtype);
      this.write(this.job.tensors[0]!, bytes, at);
      at += bytes.byteLength;
    });
  }

  private async encode(): Promise<void> {
    const { source, to, tensors } = this.job;
    const format = encoderFormat(to)!;
    const shape = matrixOf(source);
    let largest: number | undefined;
    if (format.readsLargest) {
      largest = 0;
      await this.eachTile(1, (values, row) => {
        this.refuseBeyond(values, row, "f32");
        for (const v of values) largest = Math.max(largest!, Math.abs(v));
      });
    }
    const files = to.kind === "quantized" ? targetOf(to.target).files : undefined;
    const dtype = to.kind === "quantized" ? to.dtype : "f32";
    const writer = new WeightWriter(
      { format, shape, dtype },
      files,
      tensors,
      (tensor, bytes, at) => this.write(tensor, bytes, at),
      largest,
      to.kind === "ggml" ? to.importance : undefined,
    );
    await this.eachTile(writer.together, (values) => writer.add(values));
    writer.finish();
  }

  /** Calls `use` with rows of values, a multiple of `together` each time but the last. */
  private async eachTile(together: number, use: (values: Float32Array, row: number) => void): Promise<void> {
    const { source } = this.job;
    const shape = matrixOf(source);
    const rows = tileRows(shape, together);
    for (let row = 0; row < shape[0]; row += rows) {
      // Signals arrive between tiles.
      await afterOtherTasks();
      this.check();
      const stop = Math.min(shape[0], row + rows);
      use(await this.reader.read(source, row, stop), row);
      this.progress(Math.floor((this.job.bytes * stop) / shape[0]));
    }
  }

  private write(tensor: StoredPart, bytes: Uint8Array, at: number): void {
    const hash = this.hashes.get(tensor.name) ?? createHash("sha256");
    this.hashes.set(tensor.name, hash);
    hash.update(bytes);
    this.file.writePlain(bytes, 0, bytes.byteLength, tensor.offset + at);
  }

  private refuseBeyond(values: Float32Array, row: number, dtype: WeightDType): void {
    const bad = values.findIndex((v) => !(Math.abs(v) < LARGEST[dtype]));
    if (bad < 0) return;
    const [, width] = matrixOf(this.job.source);
    throw new FormatError(
      `the value at [${row + Math.floor(bad / width)}, ${bad % width}] is ${values[bad]}${Number.isFinite(values[bad]) ? `, beyond ${dtype}` : ", expected a finite number"}`,
      { kind: "non-finite", hint: "weft inspect --stats finds tensors with such values" },
    );
  }

  private check(): void {
    if (this.told()) throw new CancelledError();
  }

  /** Counts bytes of the output as far as they follow from the rows that are done. */
  private progress(done: number): void {
    Atomics.add(this.shared.done, 0, BigInt(Math.max(0, done - this.done)));
    this.done = Math.max(this.done, done);
  }
}

/** Rows that a job must take together. */
export const togetherOf = (job: Pick<EncodeJob, "to" | "source">): number => {
  const format = encoderFormat(job.to);
  return format ? rowsPerBlock(format.packs?.format ?? format, matrixOf(job.source)) : 1;
};

/** A failure with the tensor and the file that it is about. */
function named(error: unknown, { name, source }: EncodeJob): unknown {
  if (!(error instanceof FormatError) || error.tensor !== undefined) return error;
  const { message, kind, hint } = error;
  return new FormatError(`${name}: ${message}`, {
    kind: kind as "non-finite",
    tensor: name,
    file: source.packed ? Object.values(source.packed.tensors)[0]!.file : source.at.file,
    ...(hint !== undefined && { hint }),
  });
}
