import { cast, matmul, mul, reshape, softmax, swapLast, tanh, type Tensor, where } from "@weft/tensor-core";

/** The smallest f32: a row that sees nothing has no NaN on the way. */
const LOWEST = -3.4028234663852886e38;

/** cap · tanh(x / cap): x where it is small, and never beyond ± cap. */
export const softCapped = (x: Tensor, cap: number): Tensor => mul(tanh(mul(x, 1 / cap)), cap);

/**
 * Attention whose scores are capped before softmax (Gemma 2): softmax(cap · tanh(scale · q·kᵀ / cap) where seen) · v. A row that sees nothing gives zeros.
 * @param q [B, H, T, d] @param k, v [B, G, S, d], H a multiple of G @param seen bool, broadcasts to [B, 1, T, S]
 * @returns [B, H, T, d]
 * @see transformers `models/gemma2/modeling_gemma2.py` eager_attention_forward
 */
export function cappedAttention(q: Tensor, k: Tensor, v: Tensor, seen: Tensor, scale: number, cap: number): Tensor {
  const [batch, heads, queries] = q.shape as [number, number, number];
  const [, groups, keys] = k.shape as [number, number, number];
  const grouped = reshape(q, [batch, groups, (heads / groups) * queries, -1]);
  const scores = reshape(cast(matmul(grouped, swapLast(k)), "f32"), [batch, heads, queries, keys]);
  const masked = where(seen, softCapped(mul(scores, scale), cap), LOWEST);
  const weights = where(seen, softmax(masked), 0);
  return reshape(matmul(reshape(cast(weights, v.dtype), [batch, groups, -1, keys]), v), [batch, heads, queries, -1]);
}
