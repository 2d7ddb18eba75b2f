import { parentPort, workerData } from "node:worker_threads";
import { openWeights } from "@weft/io-safetensors/node";
import { createWasmBackend } from "@weft/kernels-wasm";
import { Device } from "@weft/tensor-core";
import { packError } from "./thread-errors.js";
import { extractPair, type ExtractSettings, type PairResult } from "../extract/extract-pair.js";
import type { Pair } from "../extract/pairs.js";
import { ChangeReader } from "../extract/read-change.js";

/** What a worker thread is started with. */
export interface ExtractWorkerInput {
  readonly base: string;
  readonly tuned: string;
  readonly pairs: readonly Pair[];
  readonly settings: ExtractSettings;
  /** 0: next pair; 1: not 0 once the job is to stop. */
  readonly control: Int32Array;
}

/** Arrays that are handed over instead of copied. */
function buffersOf(result: PairResult): ArrayBuffer[] {
  if (result.kind === "whole") return [result.values.buffer as ArrayBuffer];
  if (result.kind === "unchanged") return [];
  const { factors, tucker } = result.extracted;
  return [factors.up, factors.down, ...(tucker ? [tucker.mid, tucker.down] : [])].map(({ buffer }) => buffer as ArrayBuffer);
}

/** Takes pairs from the shared counter until there are none. */
async function work({ base, tuned, pairs, settings, control }: ExtractWorkerInput): Promise<void> {
  const sources = { base: await openWeights(base), tuned: await openWeights(tuned) };
  const changes = new ChangeReader(sources.base, sources.tuned);
  const device = new Device(await createWasmBackend({ threads: 1 }), { checkIndices: true });
  try {
    for (;;) {
      const index = Atomics.add(control, 0, 1);
      if (index >= pairs.length || Atomics.load(control, 1) !== 0) break;
      const result = await extractPair(pairs[index]!, changes, settings, device);
      parentPort!.postMessage({ index, result }, buffersOf(result));
    }
  } finally {
    device.dispose();
    await Promise.all([changes.close(), sources.base.close(), sources.tuned.close()]);
  }
}

try {
  await work(workerData as ExtractWorkerInput);
} catch (error) {
  parentPort!.postMessage({ error: packError(error) });
}
