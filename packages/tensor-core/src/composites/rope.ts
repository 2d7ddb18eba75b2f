import { callComposite, type Composite } from "../composite.js";
import type { Tensor } from "../graph.js";
import { cast } from "../ops/cast.js";
import { iota } from "../ops/create.js";
import { add, equal, mul, where } from "../ops/elementwise.js";
import { flip, reshape } from "../ops/movement.js";
import { sum } from "../ops/reduce.js";

/** [B, H, T, d] with the two halves of d as an axis, so that exchanging them is a view. */
const halves = (t: Tensor): Tensor => reshape(t, [...t.shape.slice(0, -1), 2, t.shape.at(-1)! / 2]);
const exchanged = (t: Tensor): Tensor => flip(t, [-2]);
/** [B or 1, T, d] for every head. */
const perHead = (t: Tensor): Tensor => halves(reshape(t, [t.shape[0]!, 1, t.shape[1]!, t.shape[2]!]));
/** `first` at the first half, `second` at the second. */
const byHalf = (shape: readonly number[], first: number, second: number): Tensor =>
  where(equal(iota(shape, shape.length - 2), 0), first, second);

/**
 * `rope`: rotary position embedding, half-split form: x·cos + rotateHalf(x)·sin with rotateHalf([a, b]) = [-b, a]. One elementwise
 * program, and so is its gradient: the halves are exchanged by strides.
 *
 * Inputs x [B, H, T, d]; cos and sin [B or 1, T, d].
 * @see Su et al. 2021 (RoFormer); transformers `apply_rotary_pos_emb`
 */
const ROPE: Composite = {
  name: "rope",
  decompose: ([x, cos, sin]) => {
    const parts = halves(x!);
    const rotated = mul(exchanged(parts), byHalf(parts.shape, -1, 1));
    return [cast(reshape(add(mul(parts, perHead(cos!)), mul(rotated, perHead(sin!))), x!.shape), x!.dtype)];
  },
  vjp: ([x, cos, sin], _attrs, _outputs, [dy]) => {
    const [parts, dParts] = [halves(x!), halves(dy!)];
    // The transpose of rotateHalf takes [a, b] to [b, -a].
    const back = mul(mul(exchanged(dParts), exchanged(perHead(sin!))), byHalf(parts.shape, 1, -1));
    const rotated = mul(exchanged(parts), byHalf(parts.shape, -1, 1));
    const total = (t: Tensor, like: Tensor): Tensor =>
      cast(reshape(sum(t, { axes: like.shape[0] === t.shape[0] ? [1] : [0, 1] }), like.shape), like.dtype);
    return [
      cast(reshape(add(mul(dParts, perHead(cos!)), back), x!.shape), x!.dtype),
      total(mul(dParts, parts), cos!),
      total(mul(dParts, rotated), sin!),
    ];
  },
};

/** @see ROPE */
export function rope(x: Tensor, cos: Tensor, sin: Tensor): Tensor {
  return callComposite(ROPE, [x, cos, sin])[0]!;
}
