import type { OutputPlan } from "../plan/layout.js";
import type { JobResult, TensorJob } from "../plan/tensor-job.js";
import type { TensorTask } from "./worker-task.js";
import { writeShards, type WriteShardsOptions } from "./write-shards.js";

/** What was computed, by name of the tensor, and the digests of the files, by name. */
export interface ShardResults {
  readonly results: ReadonlyMap<string, JobResult>;
  readonly digests: ReadonlyMap<string, string>;
}

interface WriteMergedOptions extends Pick<
  WriteShardsOptions<TensorTask, TensorJob>,
  "finished" | "jobs" | "signal" | "onProgress" | "onItem" | "commit"
> {
  readonly output: OutputPlan;
  readonly task: Omit<TensorTask, "kind" | "jobs" | "compareWith">;
}

/** Computes the tensors of a merge into those files that are not finished. @throws as `writeShards` */
export async function writeMerged({ output, task, ...options }: WriteMergedOptions): Promise<ShardResults> {
  const results = new Map<string, JobResult>();
  const digests = await writeShards({
    ...options,
    shards: output.shards,
    items: output.items,
    task: (jobs): TensorTask => ({ ...task, kind: "tensors", jobs }),
    hashesOf({ name }, { result, hashes }) {
      results.set(name, result);
      return hashes;
    },
  });
  return { results, digests };
}
