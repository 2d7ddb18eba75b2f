import { createWasmBackend } from "@weft/kernels-wasm";
import { Device } from "@weft/tensor-core";
import { openValues } from "../open-values.js";
import { type ExtractTask, freeEntries, type Post, type Shared } from "../worker-task.js";
import { extractPair, type PairResult } from "./extract-pair.js";
import { ChangeReader } from "./read-change.js";

/** Takes the changes of weights apart. @throws FormatError kind `non-finite`, CapabilityError, IoError */
export async function extractPairs(task: ExtractTask, shared: Shared, post: Post<PairResult>): Promise<void> {
  const { pairs, settings } = task;
  const [base, tuned] = [await openValues(task.base), await openValues(task.tuned)];
  const changes = new ChangeReader(base, tuned);
  const device = new Device(await createWasmBackend({ threads: 1 }), { checkIndices: true });
  try {
    for await (const index of freeEntries(task, shared)) {
      const pair = pairs[index]!;
      const result = await extractPair(pair, changes, settings, device);
      Atomics.add(shared.done, 0, BigInt(pair.bytes));
      post(index, result, arraysOf(result));
    }
  } finally {
    device.dispose();
    await Promise.all([base.close(), tuned.close()]);
  }
}

function arraysOf(result: PairResult): ArrayBuffer[] {
  if (result.kind === "whole") return [result.values.buffer as ArrayBuffer];
  if (result.kind === "unchanged") return [];
  const { factors, tucker } = result.extracted;
  return [factors.up, factors.down, ...(tucker ? [tucker.mid, tucker.down] : [])].map(({ buffer }) => buffer as ArrayBuffer);
}
