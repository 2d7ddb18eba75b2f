import { Worker } from "node:worker_threads";
import { CancelledError } from "@weft/tensor-core";
import { enableRelaxedSimd } from "@weft/kernels-wasm/node";
import type { ItemResult } from "../plan/item.js";
import { unpackError } from "./thread-errors.js";
import type { WorkerInput } from "./merge-worker.js";

export interface RunOptions extends Omit<WorkerInput, "control" | "done"> {
  readonly jobs: number;
  readonly signal: AbortSignal;
  /** An item is done. What it returns is waited for before the run ends. */
  onItem(
    index: number,
    result: ItemResult,
    difference: { readonly bytes: number; readonly first: number } | undefined,
  ): void | Promise<void>;
  onProgress(bytes: number): void;
}

type Message =
  | { readonly index: number; readonly result: ItemResult; readonly difference?: { bytes: number; first: number } }
  | { readonly finished: true }
  | { readonly error: object };

/** How often progress is looked at. */
const POLL_MS = 100;

/**
 * Works through items on threads; each takes the next item from a shared counter. When one fails or the signal fires, all stop at
 * their next tile.
 * @throws the first failure; CancelledError
 */
export async function runWorkers(options: RunOptions): Promise<void> {
  const { jobs, signal, onItem, onProgress, ...input } = options;
  enableRelaxedSimd();
  const control = new Int32Array(new SharedArrayBuffer(8));
  const done = new BigInt64Array(new SharedArrayBuffer(8));
  let failure: unknown;
  const pending: Promise<void>[] = [];
  const stop = (error: unknown): void => {
    failure ??= error;
    Atomics.store(control, 1, 1);
  };
  const cancel = (): void => stop(new CancelledError("stopped"));
  signal.addEventListener("abort", cancel, { once: true });
  if (signal.aborted) cancel();
  const timer = setInterval(() => onProgress(Number(Atomics.load(done, 0))), POLL_MS);
  const workerData: WorkerInput = { ...input, control, done };
  try {
    await Promise.all(
      Array.from({ length: jobs }, () => {
        const worker = new Worker(new URL("./merge-worker.js", import.meta.url), { workerData });
        worker.on("message", (message: Message) => {
          if ("error" in message) stop(unpackError(message.error));
          else if ("index" in message) pending.push((async () => onItem(message.index, message.result, message.difference))().catch(stop));
        });
        return new Promise<void>((resolve) => {
          worker.on("error", (error) => stop(error));
          worker.on("exit", () => resolve());
        });
      }),
    );
    await Promise.all(pending);
  } finally {
    clearInterval(timer);
    signal.removeEventListener("abort", cancel);
  }
  if (failure !== undefined) throw failure;
  onProgress(Number(done[0]!));
}
