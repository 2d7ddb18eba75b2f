import { createHash } from "node:crypto";
import { createTileBackend } from "../plan/tile-backend.js";
import { TileEngine } from "../run/engine.js";
import { type JobContext, runJob, type Sink } from "../run/run-job.js";
import { TileMemory } from "../run/tile-memory.js";
import { DirectFile } from "./direct-file.js";
import { FileSet } from "./file-set.js";
import { VerifySink } from "./verify-sink.js";
import { freeEntries, type Post, type Shared, type TensorDone, type TensorTask } from "./worker-task.js";

/** Computes tensors into their files, or compares them. @throws FormatError kind `non-finite`, IoError, CancelledError */
export async function computeTensors(task: TensorTask, shared: Shared, post: Post<TensorDone>): Promise<void> {
  const { jobs, outputs, compareWith } = task;
  const backend = await createTileBackend();
  const files = new FileSet();
  const opened = new Map<number, DirectFile>();
  const writer: Sink = {
    write({ shard, offset }, memory, start, length, at) {
      let file = opened.get(shard);
      if (!file) opened.set(shard, (file = new DirectFile(outputs[shard]!.path, outputs[shard]!.name)));
      return file.write(memory, start, length, offset + at);
    },
  };
  const verifier = compareWith && new VerifySink(files, compareWith, jobs);
  const memory = new TileMemory(backend);
  const context: JobContext = {
    backend,
    engine: new TileEngine(backend, task.plans, task.stats),
    files,
    sink: verifier ?? writer,
    tileBytes: task.tileBytes,
    allowNonFinite: task.allowNonFinite,
    stats: task.stats,
    hasher: () => createHash("sha256"),
    stopped: () => Atomics.load(shared.control, 1) !== 0,
    progress: (bytes) => void Atomics.add(shared.done, 0, BigInt(bytes)),
  };
  try {
    for await (const index of freeEntries(task, shared)) {
      const result = await runJob(jobs[index]!, context, memory);
      post(index, { result: { ...result, sha256: result.sha256! }, difference: verifier?.take(index) }, []);
    }
  } finally {
    await memory.idle().catch(() => {});
    for (const file of opened.values()) file.close();
    await files.close();
    backend.dispose();
  }
}
