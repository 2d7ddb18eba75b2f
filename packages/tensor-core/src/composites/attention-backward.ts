import type { Composite } from "../composite.js";
import { cast } from "../ops/cast.js";
import { exp, mul, sub, where } from "../ops/elementwise.js";
import { matmul } from "../ops/linear.js";
import { reshape, swapLast } from "../ops/movement.js";
import { sum } from "../ops/reduce.js";
import { attentionScores } from "./attention-scores.js";
import { sizeOf } from "../shape.js";

/**
 * `attentionBackward`: the gradients of `attention` with respect to q, k and v. The probabilities are made again from the scores and
 * each row's logarithm of the sum L, so that none need to be kept: P = exp(S - L), dV = Pᵀ·dY, dS = P ∘ (dY·Vᵀ - Σ dY∘Y),
 * dQ = scale·dS·K, dK = scale·dSᵀ·Q, in f32.
 *
 * Inputs q, k, v as of `attention`, its outputs y and L, dy like y, and the mask and lengths if there were any; the same attributes.
 * Outputs dq, dk, dv like q, k, v.
 * @see Dao 2023 (FlashAttention-2), algorithm 2
 */
export const ATTENTION_BACKWARD: Composite = {
  name: "attentionBackward",
  flops: ([q, k]) => 10 * sizeOf(q!.shape) * k!.shape[2]!,
  anyStrides: true,
  decompose: ([q, k, v, y, total, dy, ...limits], attrs) => {
    const [batch, heads, queries] = q!.shape as [number, number, number];
    const [, groups, keys, width] = v!.shape as [number, number, number, number];
    const { scores, seen } = attentionScores(q!, k!, limits, attrs);
    const raw = exp(sub(scores, reshape(total!, [batch, heads, queries, 1])));
    const weights = seen ? where(seen, raw, 0) : raw;
    const rows = [batch, groups, (heads / groups) * queries];
    const dyWide = cast(dy!, "f32");
    const dyGrouped = reshape(dyWide, [...rows, width]);
    const dWeights = reshape(matmul(dyGrouped, swapLast(v!)), [batch, heads, queries, keys]);
    const mean = sum(mul(dyWide, y!), { axes: [-1], keepDims: true });
    const dScores = reshape(mul(mul(weights, sub(dWeights, mean)), attrs.scale as number), [...rows, keys]);
    const qGrouped = reshape(q!, [...rows, q!.shape[3]!]);
    return [
      cast(reshape(matmul(dScores, k!), q!.shape), q!.dtype),
      cast(matmul(swapLast(dScores), qGrouped), k!.dtype),
      cast(matmul(swapLast(reshape(weights, [...rows, keys])), dyGrouped), v!.dtype),
    ];
  },
};
