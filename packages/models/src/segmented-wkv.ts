import {
  abs,
  add,
  broadcastTo,
  cast,
  concat,
  cummax,
  cumsum,
  div,
  exp,
  iota,
  less,
  linearScan,
  max,
  maximum,
  mul,
  reshape,
  slice,
  stopGradient,
  sub,
  type Tensor,
  where,
} from "@weft/tensor-core";

/** Below every exponent: what has not been. */
const NOTHING = -1e38;
/** Below this an exponent is that of padding. */
const PADDED = -1e37;

/**
 * `wkv` of tensor-core over rows that hold several documents: the sums begin anew at each. What a document's maximum is taken over must not reach back
 * either, so the exponents of each are lifted above all before it; that rounds the maximum, which the result does not depend on.
 * @param w decay, [A]; u bonus, [A]; k exponents and v values, [B, T, A], all f32
 * @param starts where documents begin, bool [B, T]
 * @returns y [B, T, A]
 */
export function segmentedWkv(w: Tensor, u: Tensor, k: Tensor, v: Tensor, starts: Tensor): Tensor {
  const [batch, length] = k.shape as [number, number, number];
  const begins = reshape(starts, [batch, length, 1]);
  const before = (steps: Tensor, first: Tensor): Tensor =>
    length === 1 ? first : concat([first, slice(steps, [undefined, [0, length - 1]])], 1);
  const zero = mul(slice(k, [undefined, [0, 1]]), 0);

  const spread = add(mul(max(abs(where(less(k, PADDED), 0, k))), 2), 1);
  const lift = mul(cumsum(cast(begins, "f32"), 1), spread);
  const fallen = sub(mul(iota([1, length, 1], 1), w), lift);
  const p = stopGradient(add(cummax(sub(k, fallen), 1), fallen));
  const old = where(begins, NOTHING, before(p, zero));
  const kept = exp(sub(add(old, w), p));
  const own = exp(sub(k, p));
  const scan = (values: Tensor): Tensor => linearScan(broadcastTo(kept, k.shape), broadcastTo(values, k.shape), 1);
  const [a, b] = [scan(mul(own, v)), scan(own)];

  const bonus = add(k, u);
  const q = stopGradient(maximum(old, bonus));
  const [past, now] = [exp(sub(old, q)), exp(sub(bonus, q))];
  return div(add(mul(past, before(a, zero)), mul(now, v)), add(mul(past, before(b, zero)), now));
}
