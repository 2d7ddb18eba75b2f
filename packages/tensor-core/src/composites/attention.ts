import { callComposite, type Composite } from "../composite.js";
import { DTypeError, ShapeError } from "../errors.js";
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
import { sameShape, sizeOf } from "../shape.js";

/**
 * `attention`: softmax(scale·q·kᵀ over what is seen)·v with grouped queries (query head h uses key head ⌊h·G/H⌋). A row that sees
 * nothing gives zeros, as torch's.
 *
 * Inputs q [B, H, T, d], k and v [B, G, S, d] with H a multiple of G; then, if given, a bool mask that broadcasts to [B, 1, T, S], true
 * where a key is seen, and lengths, i32 [B]: how many keys count, the first ones, of which the queries are the last T. As data, so that one plan
 * serves a cache of room S at every fill. Attributes `scale`; `causal`: position t sees keys up to t + S - T, with lengths t + length - T.
 * Outputs y [B, H, T, d'] and, for the gradient, the logarithm [B, H, T] (f32) of each row's Σ exp(score), ∞ for a row that sees nothing.
 * @see Vaswani et al. 2017, eq. 1; torch F.scaled_dot_product_attention; Dao 2023 (FlashAttention-2) for the second output
 */
const ATTENTION: Composite = {
  name: "attention",
  anyStrides: true,
  flops: ([q, k]) => 4 * sizeOf(q!.shape) * k!.shape[2]!,
  decompose: ([q, k, v, ...limits], attrs) => {
    const [batch, heads, queries] = q!.shape as [number, number, number];
    const [, groups, keys, width] = v!.shape as [number, number, number, number];
    const { scores, seen, blind } = attentionScores(q!, k!, limits, attrs);
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
    const [q, k, v, ...limits] = inputs as [Tensor, Tensor, Tensor, ...Tensor[]];
    return dy ? callComposite(ATTENTION_BACKWARD, [q, k, v, y!, total!, dy, ...limits], attrs) : [];
  },
};

/** What attention looks at, and how its scores are scaled. */
export interface AttentionOptions {
  /** 1/√d if not given. */
  readonly scale?: number;
  readonly causal?: boolean;
  /** Bool, true where a key is seen; broadcasts to [B, 1, T, S]. */
  readonly mask?: Tensor;
  /** i32 [B]: how many of the keys count, as of a cache that has room for S; the queries are the last T of them. */
  readonly lengths?: Tensor;
}

/** @see ATTENTION @throws ShapeError, DTypeError for a mask that is not bool, and for lengths that are not i32 [B] */
export function attention(q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions = {}): Tensor {
  const { mask, lengths } = options;
  if (mask && mask.dtype !== "bool") throw new DTypeError(`attention: the mask is ${mask.dtype}, expected bool`);
  if (lengths && lengths.dtype !== "i32") throw new DTypeError(`attention: lengths are ${lengths.dtype}, expected i32`);
  if (lengths && !sameShape(lengths.shape, [q.shape[0]!]))
    throw new ShapeError(`attention: lengths are [${lengths.shape}], expected one for each of the batch, [${q.shape[0]}]`);
  const attrs = { scale: options.scale ?? 1 / Math.sqrt(q.shape[3]!), causal: options.causal ?? false };
  return callComposite(ATTENTION, [q, k, v, ...(mask ? [mask] : []), ...(lengths ? [lengths] : [])], attrs)[0]!;
}
