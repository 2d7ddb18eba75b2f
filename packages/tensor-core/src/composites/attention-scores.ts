import type { Attrs } from "../attrs.js";
import type { DType } from "../dtype.js";
import type { Tensor } from "../graph.js";
import { cast } from "../ops/cast.js";
import { iota } from "../ops/create.js";
import { add, less, lessEqual, logicalAnd, mul, sub } from "../ops/elementwise.js";
import { matmul } from "../ops/linear.js";
import { reshape, swapLast } from "../ops/movement.js";

/** The score of what is not seen: the smallest f32, so that a row that sees nothing has no NaN on the way. */
export const MASKED = -3.4028234663852886e38;

/** What limits which keys are seen, told apart by dtype: inputs of `attention` behind q, k, v, and the last of `attentionBackward`. */
export interface AttentionLimits<T> {
  /** bool */
  readonly mask: T | undefined;
  /** i32 */
  readonly lengths: T | undefined;
}

/** Which of attention's further inputs is the mask (bool), and which the lengths (i32). */
export function attentionLimits<T extends { readonly dtype: DType }>(inputs: readonly T[]): AttentionLimits<T> {
  return { mask: inputs.find((t) => t.dtype === "bool"), lengths: inputs.find((t) => t.dtype === "i32") };
}

/** What attention and its gradient have in common. */
export interface AttentionScores {
  /** scale·q·kᵀ [B, H, T, S] in f32, not masked. */
  readonly scores: Tensor;
  /** Where keys are seen, broadcasts to [B, H, T, S]; everywhere if undefined. */
  readonly seen: Tensor | undefined;
  /** A row may see nothing. */
  readonly blind: boolean;
}

/** Where causality and lengths let keys be seen, [T, S] or [B, 1, T, S]; everywhere if undefined. */
function within(queries: number, keys: number, causal: boolean, lengths: Tensor | undefined): Tensor | undefined {
  const space = [queries, keys];
  const key = iota(space, 1);
  if (!lengths) return causal ? lessEqual(key, add(iota(space, 0), keys - queries)) : undefined;
  const length = reshape(lengths, [-1, 1, 1, 1]);
  return causal ? lessEqual(key, add(iota(space, 0), sub(length, queries))) : less(key, length);
}

/** Inputs and attributes as those of `attention`; `limits` are its inputs behind v. */
export function attentionScores(q: Tensor, k: Tensor, limits: readonly Tensor[], attrs: Attrs): AttentionScores {
  const [batch, heads, queries, width] = q.shape as [number, number, number, number];
  const [, groups, keys] = k.shape as [number, number, number];
  const grouped = reshape(q, [batch, groups, (heads / groups) * queries, width]);
  const product = matmul(grouped, swapLast(k));
  const causal = attrs.causal as boolean;
  const { mask, lengths } = attentionLimits(limits);
  const open = within(queries, keys, causal, lengths);
  return {
    scores: mul(reshape(cast(product, "f32"), [batch, heads, queries, keys]), attrs.scale as number),
    seen: open && mask ? logicalAnd(open, mask) : (open ?? mask),
    blind: limits.length > 0 || (causal && keys < queries),
  };
}
