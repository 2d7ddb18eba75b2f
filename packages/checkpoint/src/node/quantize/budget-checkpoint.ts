import type { Cost } from "@weft/quant-nf4-awq";
import { ConfigError } from "@weft/tensor-core";
import { tensorBytes } from "@weft/io-safetensors";
import { formatBytes } from "../../format-bytes.js";
import { chooseWithin } from "../../quantize/budget.js";
import { relativeError } from "../../quantize/error-job.js";
import { planEncode, type Wanted } from "../../quantize/plan-encode.js";
import { storedTensors } from "../../quantize/stored-tensors.js";
import type { EncodeBase } from "./encode-base.js";
import type { EncodeJobOptions } from "./run-encode.js";
import { runErrors } from "./run-errors.js";

interface Kept extends Cost {
  readonly kept: boolean;
}

/**
 * Layers that stay as they are so that a checkpoint stays within so many bytes: Σ (‖Ŵ - W‖ / ‖W‖)² of those that are quantised is the smallest that there is.
 * @param quantized what is wanted if every layer is quantised, `plain` if none is
 * @param importance what inputs count, by name of the weight
 * @throws ConfigError if nothing is small enough, or nothing needs to be quantised
 */
export async function keptWithin(
  budget: number,
  base: EncodeBase,
  { quantized, plain }: { readonly quantized: readonly Wanted[]; readonly plain: readonly Wanted[] },
  importance: ReadonlyMap<string, Float32Array> | undefined,
  options: EncodeJobOptions,
): Promise<Set<string>> {
  const sizeOf = (wanted: readonly Wanted[]): number => planEncode(base.weights, wanted, options.maxShardSize).bytes;
  const [least, most] = [sizeOf(quantized), sizeOf(plain)];
  if (most <= budget)
    throw new ConfigError(`--budget ${formatBytes(budget)}: the checkpoint takes ${formatBytes(most)} with no layer quantised`, {
      hint: "leave the budget out to quantise all layers",
    });
  const bytesOf = ({ name, source, to }: Wanted): number => storedTensors(name, source, to).reduce((sum, t) => sum + tensorBytes(t), 0);
  const open = quantized.filter(({ to }) => to.kind === "quantized");
  const asIs = new Map(plain.map((one) => [one.name, one]));
  const data = open.reduce((sum, one) => sum + bytesOf(one), 0);
  if (least > budget) chooseWithin<Kept>([], { budget, least, fixed: least - data, what: "checkpoint" });
  const sums = await runErrors(
    "measure",
    open.map(({ name, source, to }) => {
      const own = importance?.get(name);
      return { name, source, candidates: [to], ...(own && { importance: own }) };
    }),
    options,
  );
  const layers = open.map((one, i) => ({
    path: one.name,
    choices: [
      { kept: false, bytes: bytesOf(one), error: relativeError(sums[i]!, 0) ** 2 },
      { kept: true, bytes: bytesOf(asIs.get(one.name)!), error: 0 },
    ] as readonly Kept[],
  }));
  // Headers grow and shrink with names: what is too much after all is taken off.
  for (let spare = 0; ;) {
    const { formats } = chooseWithin(layers, { budget: Math.max(least, budget - spare), least, fixed: least - data, what: "checkpoint" });
    const kept = new Set([...formats].flatMap(([name, choice]) => (choice.kept ? [name] : [])));
    const size = sizeOf(quantized.map((one) => (kept.has(one.name) ? asIs.get(one.name)! : one)));
    if (size <= budget) return kept;
    spare += size - budget;
  }
}
