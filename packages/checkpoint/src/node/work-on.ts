import type { PairResult } from "./extract/extract-pair.js";
import type { ErrorSums } from "../quantize/error-job.js";
import type { EncodeDone, MeasureDone, Post, Shared, TensorDone, WorkerTask } from "./worker-task.js";

/** Takes entries of a task until there are none, on an engine of one thread. Only what the task needs is loaded. @throws the first failure */
export async function workOn(
  task: WorkerTask,
  shared: Shared,
  post: Post<TensorDone | EncodeDone | MeasureDone | ErrorSums | PairResult>,
): Promise<void> {
  if (task.kind === "tensors") return (await import("./compute-tensors.js")).computeTensors(task, shared, post);
  if (task.kind === "encode") return (await import("./quantize/encode-tensors.js")).encodeTensors(task, shared, post);
  if (task.kind === "measure") return (await import("./quantize/measure-merges.js")).measureMerges(task, shared, post);
  if (task.kind === "errors") return (await import("./quantize/measure-errors.js")).measureErrors(task, shared, post);
  return (await import("./extract/extract-pairs.js")).extractPairs(task, shared, post);
}
