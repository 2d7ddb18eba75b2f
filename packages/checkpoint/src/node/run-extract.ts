import { Worker } from "node:worker_threads";
import type { WeightSource } from "@weft/io-safetensors";
import { createWasmBackend } from "@weft/kernels-wasm";
import { CancelledError, Device } from "@weft/tensor-core";
import { unpackError } from "./thread-errors.js";
import { extractPair, type ExtractSettings, type PairResult } from "../extract/extract-pair.js";
import type { Pair } from "../extract/pairs.js";
import { ChangeReader } from "../extract/read-change.js";
import type { ExtractWorkerInput } from "./extract-worker.js";

export interface RunExtractOptions {
  readonly base: WeightSource;
  readonly tuned: WeightSource;
  /** Where workers open the two again. */
  readonly paths: { readonly base: string; readonly tuned: string };
  readonly pairs: readonly Pair[];
  readonly settings: ExtractSettings;
  readonly jobs: number;
  readonly signal: AbortSignal;
  onPair(index: number, result: PairResult): void;
}

/** Extracts all pairs, one at a time on each thread; the results are the same for any number of threads. @throws CancelledError */
export async function runExtract(options: RunExtractOptions): Promise<void> {
  if (options.jobs > 1) return runWorkers(options);
  const { base, tuned, pairs, settings, signal, onPair } = options;
  const changes = new ChangeReader(base, tuned);
  const device = new Device(await createWasmBackend({ threads: 1 }), { checkIndices: true });
  try {
    for (const [index, pair] of pairs.entries()) {
      // Signals arrive between two turns of the event loop only.
      await new Promise((resolve) => setImmediate(resolve));
      if (signal.aborted) throw new CancelledError("stopped");
      onPair(index, await extractPair(pair, changes, settings, device));
    }
  } finally {
    device.dispose();
    await changes.close();
  }
}

type Message = { readonly index: number; readonly result: PairResult } | { readonly error: object };

async function runWorkers({ paths, pairs, settings, jobs, signal, onPair }: RunExtractOptions): Promise<void> {
  const control = new Int32Array(new SharedArrayBuffer(8));
  let failure: unknown;
  const stop = (error: unknown): void => {
    failure ??= error;
    Atomics.store(control, 1, 1);
  };
  const cancel = (): void => stop(new CancelledError("stopped"));
  signal.addEventListener("abort", cancel, { once: true });
  if (signal.aborted) cancel();
  const workerData: ExtractWorkerInput = { ...paths, pairs, settings, control };
  try {
    await Promise.all(
      Array.from({ length: jobs }, () => {
        const worker = new Worker(new URL("./extract-worker.js", import.meta.url), { workerData });
        worker.on("message", (message: Message) => {
          if ("error" in message) stop(unpackError(message.error));
          else onPair(message.index, message.result);
        });
        return new Promise<void>((resolve) => {
          worker.on("error", stop);
          worker.on("exit", () => resolve());
        });
      }),
    );
  } finally {
    signal.removeEventListener("abort", cancel);
  }
  if (failure !== undefined) throw failure;
}
