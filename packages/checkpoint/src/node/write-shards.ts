import type { OutputPlan } from "../plan/layout.js";
import type { JobResult } from "../plan/tensor-job.js";
import { runTask } from "./run-task.js";
import type { TensorTask } from "./worker-task.js";

export interface WriteShardsOptions {
  readonly output: OutputPlan;
  /** Files that are left as they are, by index. */
  readonly finished: ReadonlySet<number>;
  readonly task: Omit<TensorTask, "kind" | "jobs" | "compareWith">;
  /** Threads. */
  readonly jobs: number;
  readonly signal: AbortSignal | undefined;
  onProgress(bytes: number): void;
  /** Gives a file that is complete its name. @returns its digest */
  commit(shard: number, hashes: ReadonlyMap<string, string>): Promise<string>;
}

/** What was computed, by name of the tensor, and the digests of the files, by name. */
export interface ShardResults {
  readonly results: ReadonlyMap<string, JobResult>;
  readonly digests: ReadonlyMap<string, string>;
}

/** Computes the tensors of those files that are not finished, each of which gets its name as soon as it is complete. @throws as `runTask` */
export async function writeShards({ output, finished, task, jobs, signal, onProgress, commit }: WriteShardsOptions): Promise<ShardResults> {
  const results = new Map<string, JobResult>();
  const digests = new Map<string, string>();
  const hashes = new Map<string, string>();
  const todo = output.items.filter(({ shard }) => !finished.has(shard));
  const open = new Map<number, number>();
  for (const { shard } of todo) open.set(shard, (open.get(shard) ?? 0) + 1);
  const done = async (shard: number): Promise<void> => void digests.set(output.shards[shard]!.file, await commit(shard, hashes));
  await runTask({
    task: { ...task, kind: "tensors", jobs: todo },
    jobs,
    signal,
    onProgress,
    async onResult(index, { result }) {
      const { name, shard } = todo[index]!;
      results.set(name, result);
      hashes.set(name, result.sha256);
      open.set(shard, open.get(shard)! - 1);
      if (open.get(shard) === 0) await done(shard);
    },
  });
  // A file without tensors has none that would complete it.
  for (const [shard, { layout }] of output.shards.entries()) if (layout.tensors.length === 0 && !finished.has(shard)) await done(shard);
  return { results, digests };
}
