import { availableParallelism } from "node:os";
import type { OnProgress } from "../../job-progress.js";
import { PROCESS_BYTES, WORKER_BYTES } from "../../plan/plan-memory.js";
import { errorBytes, type ErrorJob, type ErrorSums } from "../../quantize/error-job.js";
import { matrixOf } from "../../quantize/encode-job.js";
import type { ResourceOptions } from "../merge-options.js";
import { runTask } from "../run-task.js";
import { togetherOfErrors } from "./measure-errors.js";

/** Computes errors on threads. @param phase what progress calls it @returns in the order of the jobs */
export async function runErrors(
  phase: string,
  jobs: readonly ErrorJob[],
  {
    jobs: wanted = Math.min(8, availableParallelism()),
    maxMemory = 256e6,
    signal,
    onProgress,
  }: ResourceOptions & { readonly signal?: AbortSignal | undefined; readonly onProgress?: OnProgress | undefined },
): Promise<ErrorSums[]> {
  const found: ErrorSums[] = [];
  const most = Math.max(0, ...jobs.map((job) => errorBytes(job, togetherOfErrors(job))));
  const total = jobs.reduce((sum, { source }) => sum + matrixOf(source)[0] * matrixOf(source)[1], 0);
  await runTask({
    task: { kind: "errors", jobs },
    jobs: Math.max(1, Math.min(wanted, Math.floor((maxMemory - PROCESS_BYTES) / (WORKER_BYTES + most)))),
    signal,
    onProgress: (done) => onProgress?.({ phase, done, total }),
    onResult: (index, sums) => void (found[index] = sums),
  });
  return found;
}
