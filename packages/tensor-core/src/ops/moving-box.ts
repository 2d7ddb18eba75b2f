import { applyPrimitive } from "../apply-primitive.js";
import type { Tensor } from "../graph.js";
import { normalizeAxis } from "../shape.js";
import { cast } from "./cast.js";
import { reshape } from "./movement.js";

const eachAxis = (x: Tensor): number[] => x.shape.map((_, i) => i);

/** Starts as one i32 per axis; a scalar is the start along one axis. */
const startsOf = (starts: Tensor): Tensor => cast(starts.shape.length === 0 ? reshape(starts, [1]) : starts, "i32");

/**
 * A box of `x` whose place is data: other starts replay the same plan. As in XLA, a box that would leave `x` is moved inside: it begins at
 * min(max(start, 0), length - size) along each axis.
 * @param starts where it begins along each of `axes`, an integer tensor [axes.length] (or a scalar for one axis)
 * @param sizes its elements along each of `axes`; it takes all of the other axes
 * @param axes all axes if not given
 * @throws ShapeError if the box is larger than `x`, or there is not one start and size per axis
 */
export function dynamicSlice(x: Tensor, starts: Tensor, sizes: readonly number[], axes: readonly number[] = eachAxis(x)): Tensor {
  const at = axes.map((axis) => normalizeAxis("dynamicSlice", axis, x.shape.length));
  return applyPrimitive("dynamicSlice", [x, startsOf(starts)], { axes: at, size: sizes });
}

/**
 * `base` with `value` in a box whose place is data, as in `dynamicSlice`: a cache with the keys of one more token, say. Where nobody reads
 * `base` afterwards, its memory becomes that of the result, and only the box is written.
 * @param value of the dtype of `base`, as long as it along all axes but `axes`
 * @throws ShapeError if `value` does not fit into `base`, DTypeError if its dtype is another one
 */
export function update(base: Tensor, value: Tensor, starts: Tensor, axes: readonly number[] = eachAxis(base)): Tensor {
  const at = axes.map((axis) => normalizeAxis("update", axis, base.shape.length));
  return applyPrimitive("update", [base, value, startsOf(starts)], { axes: at });
}
