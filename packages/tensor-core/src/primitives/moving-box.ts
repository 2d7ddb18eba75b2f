import { type Box, whole } from "../box.js";
import { DTypeError, ShapeError } from "../errors.js";
import { contiguousStrides, type Shape, sizeOf } from "../shape.js";
import type { TensorSpec } from "../tensor-spec.js";

/** Where a box of `size` elements along an axis of `n` begins that is asked for at `start`: inside, as near as can be (as in XLA). */
const clampedStart = (start: number, size: number, n: number): number => Math.max(0, Math.min(start, n - size));

/** Offset of the first element of a box in a tensor in row-major order. */
export function boxOffset(shape: Shape, axes: readonly number[], starts: ArrayLike<number>, boxSize: Shape): number {
  const strides = contiguousStrides(shape);
  return axes.reduce((at, axis, k) => at + clampedStart(starts[k]!, boxSize[axis]!, shape[axis]!) * strides[axis]!, 0);
}

/** Calls `visit` with the offset of each element of a box that begins at `first`, and its number within the box. */
export function forEachInBox(shape: Shape, first: number, boxSize: Shape, visit: (at: number, i: number) => void): void {
  const [outer, inner] = [contiguousStrides(shape), contiguousStrides(boxSize)];
  const count = sizeOf(boxSize);
  for (let i = 0; i < count; i++) {
    let at = first;
    for (let axis = 0; axis < inner.length; axis++) at += (Math.floor(i / inner[axis]!) % boxSize[axis]!) * outer[axis]!;
    visit(at, i);
  }
}

/** @throws DTypeError, ShapeError unless `starts` is an i32 per axis */
export function checkStarts(op: string, starts: TensorSpec, axes: readonly number[]): void {
  if (starts.dtype !== "i32") throw new DTypeError(`${op}: starts must be i32, got ${starts.dtype}`);
  if (starts.shape.length !== 1 || starts.shape[0] !== axes.length)
    throw new ShapeError(`${op}: starts are [${starts.shape}], expected [${axes.length}], one for each of the axes [${axes}]`);
}

/**
 * What a slice of the result takes along the axes that the box does not move along; undefined if it takes all of them. Along the others
 * the box is known only when the plan runs, so all of it is computed.
 */
export function besideBox(shape: Shape, axes: readonly number[], box: Box): { taken: Box; within: Box } | undefined {
  if (box.every(({ size }, i) => axes.includes(i) || size === shape[i])) return undefined;
  return {
    taken: box.map((range, i) => (axes.includes(i) ? whole(shape[i]!) : range)),
    within: box.map((range, i) => (axes.includes(i) ? range : whole(range.size))),
  };
}
