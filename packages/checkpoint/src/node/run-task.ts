import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { CancelledError } from "@weft/tensor-core";
import { enableRelaxedSimd } from "@weft/kernels-wasm/node";
import type { WorkerInput, WorkerMessage } from "./serve-task.js";
import { unpackError } from "./thread-errors.js";
import { entryCount, type ResultOf, type Shared, type WorkerTask } from "./worker-task.js";
import { workOn } from "./work-on.js";

export interface RunTaskOptions<T extends WorkerTask> {
  readonly task: T;
  /** Threads; one is this one. */
  readonly jobs: number;
  readonly signal: AbortSignal | undefined;
  /** An entry of the task is done. What it returns is waited for before the run ends. */
  onResult(index: number, result: ResultOf<T>): void | Promise<void>;
  /** Bytes that are finished. */
  onProgress?: ((bytes: number) => void) | undefined;
}

/** How often progress is looked at. */
const POLL_MS = 100;

/**
 * The program of the threads, beside this file or, of a bundle whose pieces lie above its entries, below it. Where it is not (in sources, in bundles that leave
 * it out), everything runs on this thread.
 */
const PROGRAM = ["./checkpoint-worker.js", "./node/checkpoint-worker.js"]
  .map((path) => new URL(path, import.meta.url))
  .find((url) => existsSync(fileURLToPath(url)));

/**
 * Works through a task on threads; each takes the next entry from a shared counter. When one fails or the signal fires, all stop at
 * their next tile.
 * @throws the first failure; CancelledError
 */
export async function runTask<T extends WorkerTask>({ task, jobs, signal, onResult, onProgress }: RunTaskOptions<T>): Promise<void> {
  // Before any engine: fused multiply-add gives other bits.
  enableRelaxedSimd();
  const shared: Shared = {
    control: new Int32Array(new SharedArrayBuffer(8)),
    done: new BigInt64Array(new SharedArrayBuffer(8)),
  };
  let failure: unknown;
  const pending: Promise<void>[] = [];
  const stop = (error: unknown): void => {
    failure ??= error;
    Atomics.store(shared.control, 1, 1);
  };
  const take = (index: number, result: unknown): void =>
    void pending.push((async () => onResult(index, result as ResultOf<T>))().catch(stop));
  const cancel = (): void => stop(new CancelledError("stopped"));
  signal?.addEventListener("abort", cancel, { once: true });
  if (signal?.aborted) cancel();
  const timer = setInterval(() => onProgress?.(Number(Atomics.load(shared.done, 0))), POLL_MS);
  try {
    const useful = Math.min(jobs, entryCount(task));
    if (useful > 1 && PROGRAM) {
      const program = PROGRAM;
      await Promise.all(Array.from({ length: useful }, () => runWorker(program, { ...shared, task }, take, stop)));
    } else await workOn(task, shared, take).catch(stop);
    await Promise.all(pending);
  } finally {
    clearInterval(timer);
    signal?.removeEventListener("abort", cancel);
  }
  if (failure !== undefined) throw failure;
  onProgress?.(Number(shared.done[0]!));
}

/** New objects of a worker, which are promises and numbers, take at most this before they are collected: V8 would let them grow to three times 16 MB. */
const YOUNG_MB = 3;

/** Resolves when the thread has ended. */
function runWorker(
  program: URL,
  workerData: WorkerInput,
  take: (index: number, result: unknown) => void,
  stop: (error: unknown) => void,
): Promise<void> {
  const worker = new Worker(program, { workerData, resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB } });
  worker.on("message", (message: WorkerMessage) => {
    if ("error" in message) stop(unpackError(message.error));
    else take(message.index, message.result);
  });
  return new Promise<void>((resolve) => {
    worker.on("error", stop);
    worker.on("exit", () => resolve());
  });
}
