import { callComposite, type Composite } from "../composite.js";
import type { Tensor } from "../graph.js";
import { iota } from "../ops/create.js";
import { add, cast, lessEqual, mul, neg, where } from "../ops/elementwise.js";
import { matmul } from "../ops/linear.js";
import { concat, reshape, slice, swapLast } from "../ops/movement.js";
import { softmax } from "./norm.js";

/** What torch adds to masked scores: the smallest f32. A row that may see nothing then gives the mean of v, not NaN. */
export const MASKED = -3.4028234663852886e38;

/**
 * `attention`: softmax(scale·q·kᵀ + mask)·v with grouped queries (query head h uses key head ⌊h·G/H⌋).
 *
 * Inputs q [B, H, T, d], k and v [B, G, S, d] with H a multiple of G; with a fourth input an additive mask that broadcasts to [B, 1, T, S].
 * Attributes `scale`; `causal`: position t sees keys up to t + S - T.
 * @see Vaswani et al. 2017, eq. 1; torch F.scaled_dot_product_attention
 */
export const ATTENTION: Composite = {
  name: "attention",
  decompose: ([q, k, v, mask], attrs) => {
    const [batch, heads, queries, width] = q!.shape as [number, number, number, number];
    const [, groups, keys] = k!.shape as [number, number, number, number];
    const each = heads / groups;
    const grouped = reshape(q!, [batch, groups, each * queries, width]);
    const product = matmul(grouped, swapLast(k!));
    let scores = mul(reshape(cast(product, "f32"), [batch, heads, queries, keys]), attrs.scale as number);
    if (mask) scores = add(scores, mask);
    if (attrs.causal) {
      const space = [queries, keys];
      scores = where(lessEqual(iota(space, 1), add(iota(space, 0), keys - queries)), scores, MASKED);
    }
    const weights = reshape(cast(softmax(scores), v!.dtype), [batch, groups, each * queries, keys]);
    return [reshape(matmul(weights, v!), [batch, heads, queries, v!.shape[3]!])];
  },
};

export interface AttentionOptions {
  /** 1/√d if not given. */
  readonly scale?: number;
  readonly causal?: boolean;
  /** Added to the scores; broadcasts to [B, 1, T, S]. */
  readonly mask?: Tensor;
}

/** @see ATTENTION */
export function attention(q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions = {}): Tensor {
  const attrs = { scale: options.scale ?? 1 / Math.sqrt(q.shape[3]!), causal: options.causal ?? false };
  return callComposite(ATTENTION, options.mask ? [q, k, v, options.mask] : [q, k, v], attrs)[0]!;
}

/**
 * `rope`: rotary position embedding, half-split form: x·cos + rotateHalf(x)·sin with rotateHalf([a, b]) = [-b, a].
 *
 * Inputs x [B, H, T, d]; cos and sin [B or 1, T, d].
 * @see Su et al. 2021 (RoFormer); transformers `apply_rotary_pos_emb`
 */
export const ROPE: Composite = {
  name: "rope",
  decompose: ([x, cos, sin]) => {
    const half = x!.shape[3]! / 2;
    const low = slice(x!, [undefined, undefined, undefined, [0, half]]);
    const high = slice(x!, [undefined, undefined, undefined, [half, 2 * half]]);
    const perHead = (t: Tensor): Tensor => reshape(t, [t.shape[0]!, 1, t.shape[1]!, t.shape[2]!]);
    return [cast(add(mul(x!, perHead(cos!)), mul(concat([neg(high), low], 3), perHead(sin!))), x!.dtype)];
  },
};

/** @see ROPE */
export function rope(x: Tensor, cos: Tensor, sin: Tensor): Tensor {
  return callComposite(ROPE, [x, cos, sin])[0]!;
}
