import { createHash } from "node:crypto";
import type { StoredAs, TensorJob } from "../plan/tensor-job.js";
import { createTileBackend } from "../plan/tile-backend.js";
import { TileEngine } from "../run/engine.js";
import { type JobContext, runJob, type Sink } from "../run/run-job.js";
import { TileMemory } from "../run/tile-memory.js";
import { DirectFile } from "./direct-file.js";
import { FileSet } from "./file-set.js";
import { runStoredJob } from "./quantize/run-stored-job.js";
import { ValueReader } from "./quantize/value-reader.js";
import { VerifySink } from "./verify-sink.js";
import { freeEntries, type Post, type Shared, type TensorDone, type TensorTask } from "./worker-task.js";

/** The names of the tensors of the output that a job makes. */
export const tensorsMade = ({ name, stored }: Pick<TensorJob, "name" | "stored">): readonly string[] =>
  stored ? stored.tensors.map((tensor) => tensor.name) : [name];

/** Computes tensors into their files, or compares them. @throws FormatError kind `non-finite`, IoError, CancelledError */
export async function computeTensors(task: TensorTask, shared: Shared, post: Post<TensorDone>): Promise<void> {
  const { jobs, outputs, compareWith } = task;
  const backend = await createTileBackend();
  const files = new FileSet();
  const values = new ValueReader(files, task.values);
  const opened = new Map<number, DirectFile>();
  const fileOf = (shard: number): DirectFile => {
    const file = opened.get(shard) ?? new DirectFile(outputs[shard]!.path, outputs[shard]!.name);
    opened.set(shard, file);
    return file;
  };
  const verifier = compareWith && new VerifySink(files, compareWith);
  const sink: Sink = {
    write({ name, shard, offset }, memory, start, length, at) {
      if (!verifier) return fileOf(shard).write(memory, start, length, offset + at);
      verifier.compare(name, memory.subarray(start, start + length), at);
      return Promise.resolve();
    },
  };
  const memory = new TileMemory(backend);
  const context: JobContext = {
    backend,
    engine: new TileEngine(backend, task.plans, task.stats),
    files: values,
    sink,
    tileBytes: task.tileBytes,
    allowNonFinite: task.allowNonFinite,
    stats: task.stats,
    hasher: () => createHash("sha256"),
    stopped: () => Atomics.load(shared.control, 1) !== 0,
    progress: (bytes) => void Atomics.add(shared.done, 0, BigInt(bytes)),
  };
  const computed = async (job: TensorJob, stored: StoredAs | undefined): Promise<Omit<TensorDone, "difference">> => {
    if (stored)
      return runStoredJob(job, { ...stored, source: task.values.get(stored.like)! }, context, values.rows, memory, (tensor, bytes, at) => {
        if (verifier) verifier.compare(tensor.name, bytes, at);
        else fileOf(job.shard).writePlain(bytes, 0, bytes.byteLength, tensor.offset + at);
      });
    const result = await runJob(job, context, memory);
    return { result, hashes: [[job.name, result.sha256!]] };
  };
  try {
    for await (const index of freeEntries(task, shared)) {
      const job = jobs[index]!;
      const done = await computed(job, job.stored);
      post(index, { ...done, difference: verifier?.firstOf(tensorsMade(job)) }, []);
    }
  } finally {
    await memory.idle().catch(() => {});
    for (const file of opened.values()) file.close();
    await values.close();
    await files.close();
    backend.dispose();
  }
}
