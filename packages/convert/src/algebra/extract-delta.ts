import type { Tensor } from "@weft/tensor-core";
import { clampFactors } from "./clamp-factors.js";
import { decompose } from "./decompose.js";
import { type Factors, factorsOf } from "./factors.js";
import { checkRankRule, type RankRule } from "./rank-rule.js";
import { splitKernel, type TuckerParts } from "./small-conv.js";

/** By which rule the rank is chosen, and in which form the factors are kept. */
export interface ExtractOptions {
  readonly rule: RankRule;
  /** The largest rank that the rule may give. */
  readonly maxRank?: number;
  /** Clamp both factors to ± this quantile of their values, as kohya does. */
  readonly clamp?: number;
  /** A Tucker core for kernels larger than one place, as LyCORIS's `small_conv`. */
  readonly smallConv?: boolean;
  /** Where the rank would reach half of the outputs, give no factors, as LyCORIS, which stores ΔW itself then. */
  readonly wholeFromHalf?: boolean;
}

/** What extracting gives for one weight. */
export interface Extracted {
  /** [out, in, ...kernel] of the weight. */
  readonly shape: readonly number[];
  readonly factors: Factors;
  readonly tucker?: TuckerParts;
  /** ‖ΔW - up·down‖ / ‖ΔW‖, clamp and Tucker core included. */
  readonly residual: number;
}

const product = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/**
 * A change of a weight as a LoRA of scale 1 (alpha = rank): ΔW ≈ up·down by SVD of ΔW as [out, everything else]; the rank is at most min(out, in).
 * @param shape [out, in, ...kernel] of the weight
 * @param change ΔW as a matrix [out, everything else], on the device that is to multiply it
 * @returns "whole" where `wholeFromHalf` asks for ΔW itself
 * @throws ConfigError for a rule or a quantile that makes no sense
 * @see LyCORIS `lycoris/utils/__init__.py` extract_linear, extract_conv; sd-scripts `networks/extract_lora_from_models.py`
 */
export async function extractDelta(shape: readonly number[], change: Tensor, options: ExtractOptions): Promise<Extracted | "whole"> {
  const { rule, clamp, maxRank = Infinity } = options;
  checkRankRule(rule);
  const [out, channels] = shape as [number, number];
  const { svd, rank, squares } = await decompose(change, rule, Math.min(out, channels, maxRank));
  if (options.wholeFromHalf && rank >= out / 2) return "whole";
  const factors = factorsOf(svd, rank);
  if (clamp !== undefined) clampFactors(clamp, factors.up, factors.down);
  const kernel = product(shape.slice(2));
  const tucker = options.smallConv && kernel > 1 ? splitKernel(factors.down, rank, channels, kernel) : undefined;
  if (squares === 0) return { shape, factors, ...(tucker && { tucker }), residual: 0 };
  const kept = svd.s.slice(0, rank).reduce((sum, s) => sum + s * s, 0);
  // Up and down are a projection of ΔW, so Pythagoras tells what is left; clamped or cut once more they are not.
  const left =
    clamp === undefined && !tucker
      ? Math.max(0, squares - kept)
      : distance(await change.data(), { ...factors, down: tucker ? joined(tucker, factors, channels, kernel) : factors.down });
  return { shape, factors, ...(tucker && { tucker }), residual: Math.sqrt(left / squares) };
}

/** Σ_q mid[p, q, κ]·down[q, i] as [p, i, κ]. */
function joined({ mid, down, inner }: TuckerParts, { rank }: Factors, channels: number, kernel: number): Float32Array {
  const result = new Float32Array(rank * channels * kernel);
  for (let p = 0; p < rank; p++)
    for (let q = 0; q < inner; q++)
      for (let i = 0; i < channels; i++)
        for (let k = 0; k < kernel; k++)
          result[(p * channels + i) * kernel + k]! += mid[(p * inner + q) * kernel + k]! * down[q * channels + i]!;
  return result;
}

/** ‖M - up·down‖², row by row. */
function distance(values: ArrayLike<number>, { out, rank, inputs, up, down }: Factors): number {
  let sum = 0;
  const row = new Float64Array(inputs);
  for (let i = 0; i < out; i++) {
    for (let c = 0; c < inputs; c++) row[c] = values[i * inputs + c]!;
    for (let k = 0; k < rank; k++) {
      const x = up[i * rank + k]!;
      for (let c = 0; c < inputs; c++) row[c]! -= x * down[k * inputs + c]!;
    }
    for (let c = 0; c < inputs; c++) sum += row[c]! * row[c]!;
  }
  return sum;
}
