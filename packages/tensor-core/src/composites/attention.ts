import { callComposite, type Composite } from "../composite.js";
import type { Tensor } from "../graph.js";
import { cast } from "../ops/cast.js";
import { equal, where } from "../ops/elementwise.js";
import { matmul } from "../ops/linear.js";
import { reshape } from "../ops/movement.js";
import { logSumExp, max } from "../ops/reduce.js";
import { vjp } from "../transforms/grad.js";
import { ATTENTION_BACKWARD } from "./attention-backward.js";
import { attentionScores, MASKED } from "./attention-scores.js";
import { softmax } from "./norm.js";
import { sizeOf } from "../shape.js";

/**
 * `attention`: softmax(scale·q·kᵀ over what is seen)·v with grouped queries (query head h uses key head ⌊h·G/H⌋). A row that sees
 * nothing gives zeros, as torch's.
 *
 * Inputs q [B, H, T, d], k and v [B, G, S, d] with H a multiple of G; with a fourth input a bool mask that broadcasts to [B, 1, T, S], true
 * where a key is seen. Attributes `scale`; `causal`: position t sees keys up to t + S - T.
 * Outputs y [B, H, T, d'] and, for the gradient, the logarithm [B, H, T] (f32) of each row's Σ exp(score), ∞ for a row that sees nothing.
 * @see Vaswani et al. 2017, eq. 1; torch F.scaled_dot_product_attention; Dao 2023 (FlashAttention-2) for the second output
 */
const ATTENTION: Composite = {
  name: "attention",
  flops: ([q, k]) => 4 * sizeOf(q!.shape) * k!.shape[2]!,
  decompose: ([q, k, v, mask], attrs) => {
    const [batch, heads, queries] = q!.shape as [number, number, number];
    const [, groups, keys, width] = v!.shape as [number, number, number, number];
    const { scores, seen, blind } = attentionScores(q!, k!, mask, attrs);
    const masked = seen ? where(seen, scores, MASKED) : scores;
    const weights = softmax(masked);
    const kept = blind ? where(seen!, weights, 0) : weights;
    const rows = [batch, groups, (heads / groups) * queries];
    const y = reshape(matmul(reshape(cast(kept, v!.dtype), [...rows, keys]), v!), [batch, heads, queries, width]);
    const total = logSumExp(masked, { axes: [-1] });
    return [y, blind ? where(equal(max(masked, { axes: [-1] }), MASKED), Infinity, total) : total];
  },
  vjp: (inputs, attrs, [y, total], [dy, dTotal]) => {
    // Only a gradient of the gradient comes by way of the second output.
    if (dTotal) return vjp(ATTENTION.decompose(inputs, attrs), [dy, dTotal], inputs);
    const [q, k, v, mask] = inputs as [Tensor, Tensor, Tensor, Tensor | undefined];
    return dy ? callComposite(ATTENTION_BACKWARD, [q, k, v, y!, total!, dy, ...(mask ? [mask] : [])], attrs) : [];
  },
};

export interface AttentionOptions {
  /** 1/√d if not given. */
  readonly scale?: number;
  readonly causal?: boolean;
  /** Bool, true where a key is seen; broadcasts to [B, 1, T, S]. */
  readonly mask?: Tensor;
}

/** @see ATTENTION */
export function attention(q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions = {}): Tensor {
  const attrs = { scale: options.scale ?? 1 / Math.sqrt(q.shape[3]!), causal: options.causal ?? false };
  return callComposite(ATTENTION, options.mask ? [q, k, v, options.mask] : [q, k, v], attrs)[0]!;
}
