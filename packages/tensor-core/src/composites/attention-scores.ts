import type { Tensor } from "../graph.js";
import { cast } from "../ops/cast.js";
import { iota } from "../ops/create.js";
import { add, lessEqual, logicalAnd, mul } from "../ops/elementwise.js";
import { matmul } from "../ops/linear.js";
import { reshape, swapLast } from "../ops/movement.js";
import type { Attrs } from "../attrs.js";

/** The score of what is not seen: the smallest f32, so that a row that sees nothing has no NaN on the way. */
export const MASKED = -3.4028234663852886e38;

/** What attention and its gradient have in common. */
export interface AttentionScores {
  /** scale·q·kᵀ [B, H, T, S] in f32, not masked. */
  readonly scores: Tensor;
  /** Where keys are seen, broadcasts to [B, H, T, S]; everywhere if undefined. */
  readonly seen: Tensor | undefined;
  /** A row may see nothing. */
  readonly blind: boolean;
}

/** Inputs and attributes as those of `attention`. */
export function attentionScores(q: Tensor, k: Tensor, mask: Tensor | undefined, attrs: Attrs): AttentionScores {
  const [batch, heads, queries, width] = q.shape as [number, number, number, number];
  const [, groups, keys] = k.shape as [number, number, number, number];
  const grouped = reshape(q, [batch, groups, (heads / groups) * queries, width]);
  const product = matmul(grouped, swapLast(k));
  const space = [queries, keys];
  const causal = attrs.causal ? lessEqual(iota(space, 1), add(iota(space, 0), keys - queries)) : undefined;
  return {
    scores: mul(reshape(cast(product, "f32"), [batch, heads, queries, keys]), attrs.scale as number),
    seen: causal && mask ? logicalAnd(causal, mask) : (causal ?? mask),
    blind: mask !== undefined || (causal !== undefined && keys < queries),
  };
}
