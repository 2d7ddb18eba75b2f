import { parentPort, workerData } from "node:worker_threads";
import { packError } from "./thread-errors.js";
import type { Shared, WorkerTask } from "./worker-task.js";
import { workOn } from "./work-on.js";

/** What a worker thread is started with. */
export interface WorkerInput extends Shared {
  readonly task: WorkerTask;
}

/** What a worker thread says. */
export type WorkerMessage = { readonly index: number; readonly result: unknown } | { readonly error: object };

/** The program of a worker thread: works on what it was started with. */
export async function serveTask(): Promise<void> {
  const { task, control, done } = workerData as WorkerInput;
  try {
    await workOn(task, { control, done }, (index, result, transfer) => parentPort!.postMessage({ index, result }, transfer));
  } catch (error) {
    parentPort!.postMessage({ error: packError(error) });
  }
}
