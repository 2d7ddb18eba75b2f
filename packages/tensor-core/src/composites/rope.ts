import { callComposite, type Composite } from "../composite.js";
import type { Tensor } from "../graph.js";
import { cast } from "../ops/cast.js";
import { iota } from "../ops/create.js";
import { add, equal, mul, neg, where } from "../ops/elementwise.js";
import { concat, flip, reshape, split } from "../ops/movement.js";
import { sum } from "../ops/reduce.js";

/** [B, H, T, d] with the two halves of d as an axis, so that exchanging them is a view. */
const halves = (t: Tensor): Tensor => reshape(t, [...t.shape.slice(0, -1), 2, t.shape.at(-1)! / 2]);
const exchanged = (t: Tensor): Tensor => flip(t, [-2]);
/** [B or 1, T, d] for every head. */
const perHead = (t: Tensor): Tensor => halves(reshape(t, [t.shape[0]!, 1, t.shape[1]!, t.shape[2]!]));
/** sin with the sign that rotateHalf has at its place: small, and one for all layers and both directions. */
function signedSine(sin: Tensor): Tensor {
  const parts = perHead(sin);
  return mul(parts, where(equal(iota(parts.shape, parts.shape.length - 2), 0), -1, 1));
}

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
    return [cast(reshape(add(mul(parts, perHead(cos!)), mul(exchanged(parts), signedSine(sin!))), x!.shape), x!.dtype)];
  },
  vjp: ([x, cos, sin], _attrs, _outputs, [dy]) => {
    const [parts, dParts] = [halves(x!), halves(dy!)];
    const dx = add(mul(dParts, perHead(cos!)), mul(exchanged(dParts), exchanged(signedSine(sin!))));
    const total = (t: Tensor, like: Tensor): Tensor => {
      const sums = sum(t, { axes: like.shape[0] === t.shape[0] ? [1] : [0, 1] });
      return cast(reshape(sums, like.shape), like.dtype);
    };
    const [low, high] = split(mul(dParts, exchanged(parts)), [1, 1], -2) as [Tensor, Tensor];
    return [cast(reshape(dx, x!.shape), x!.dtype), total(mul(dParts, parts), cos!), total(concat([neg(low), high], -2), sin!)];
  },
};

/** @see ROPE */
export function rope(x: Tensor, cos: Tensor, sin: Tensor): Tensor {
  return callComposite(ROPE, [x, cos, sin])[0]!;
}
