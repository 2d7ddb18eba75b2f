import { callComposite, type Composite } from "../composite.js";
import type { Tensor } from "../graph.js";
import { iota } from "../ops/create.js";
import { add, lessEqual, logicalAnd, mul, neg, where } from "../ops/elementwise.js";
import { cast } from "../ops/cast.js";
import { matmul } from "../ops/linear.js";
import { concat, reshape, slice, swapLast } from "../ops/movement.js";
import { softmax } from "./norm.js";

/** The score of what is not seen: the smallest f32, so that a row that sees nothing has no NaN on the way. */
const MASKED = -3.4028234663852886e38;

/**
 * `attention`: softmax(scale·q·kᵀ over what is seen)·v with grouped queries (query head h uses key head ⌊h·G/H⌋). A row that sees
 * nothing gives zeros, as torch's.
 *
 * Inputs q [B, H, T, d], k and v [B, G, S, d] with H a multiple of G; with a fourth input a bool mask that broadcasts to [B, 1, T, S], true
 * where a key is seen. Attributes `scale`; `causal`: position t sees keys up to t + S - T.
 * @see Vaswani et al. 2017, eq. 1; torch F.scaled_dot_product_attention
 */
const ATTENTION: Composite = {
  name: "attention",
  decompose: ([q, k, v, mask], attrs) => {
    const [batch, heads, queries, width] = q!.shape as [number, number, number, number];
    const [, groups, keys] = k!.shape as [number, number, number, number];
    const each = heads / groups;
    const grouped = reshape(q!, [batch, groups, each * queries, width]);
    const product = matmul(grouped, swapLast(k!));
    let scores = mul(reshape(cast(product, "f32"), [batch, heads, queries, keys]), attrs.scale as number);
    const space = [queries, keys];
    const causal = attrs.causal ? lessEqual(iota(space, 1), add(iota(space, 0), keys - queries)) : undefined;
    const seen = causal && mask ? logicalAnd(causal, mask) : (causal ?? mask);
    if (seen) scores = where(seen, scores, MASKED);
    const weights = softmax(scores);
    // With a mask, or with more queries than keys under `causal`, a row may see nothing: its equal weights become zeros.
    const kept = mask || (causal && queries > keys) ? where(seen!, weights, 0) : weights;
    return [
      reshape(matmul(reshape(cast(kept, v!.dtype), [batch, groups, each * queries, keys]), v!), [batch, heads, queries, v!.shape[3]!]),
    ];
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

/**
 * `rope`: rotary position embedding, half-split form: x·cos + rotateHalf(x)·sin with rotateHalf([a, b]) = [-b, a].
 *
 * Inputs x [B, H, T, d]; cos and sin [B or 1, T, d].
 * @see Su et al. 2021 (RoFormer); transformers `apply_rotary_pos_emb`
 */
const ROPE: Composite = {
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
