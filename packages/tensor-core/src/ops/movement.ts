import { promote } from "../dtype.js";
import { ShapeError } from "../errors.js";
import type { Tensor } from "../graph.js";
import { applyPrimitive } from "../apply-primitive.js";
import { normalizeAxis, sameShape, type Shape, sizeOf } from "../shape.js";
import { cast } from "./cast.js";
import { full } from "./create.js";

/** Same elements, other shape; one entry may be -1. */
export function reshape(x: Tensor, shape: Shape): Tensor {
  const known = sizeOf(shape.filter((d) => d !== -1));
  const full = shape.map((d) => (d === -1 ? x.size / known : d));
  return sameShape(full, x.shape) ? x : applyPrimitive("reshape", [x], { shape: full });
}

/** Axes in the order given; reversed if none is. */
export function transpose(x: Tensor, axes: readonly number[] = x.shape.map((_, i) => x.shape.length - 1 - i)): Tensor {
  const order = axes.map((a) => normalizeAxis("transpose", a, x.shape.length));
  if (new Set(order).size !== x.shape.length)
    throw new ShapeError(`transpose: axes [${axes}] are not a permutation of the axes of [${x.shape}]`);
  return order.every((a, i) => a === i) ? x : applyPrimitive("transpose", [x], { axes: order });
}

/** The last two axes exchanged. */
export function swapLast(x: Tensor): Tensor {
  const rank = x.shape.length;
  return transpose(x, [...Array(rank - 2).keys(), rank - 1, rank - 2]);
}

/** Repeats axes of length 1 (and leading axes that are missing) up to `shape`. */
export function broadcastTo(x: Tensor, shape: Shape): Tensor {
  if (sameShape(x.shape, shape)) return x;
  if (x.shape.length > shape.length) throw new ShapeError(`broadcastTo: [${x.shape}] has more axes than [${shape}]`);
  const aligned = reshape(x, [...Array<number>(shape.length - x.shape.length).fill(1), ...x.shape]);
  return sameShape(aligned.shape, shape) ? aligned : applyPrimitive("broadcast", [aligned], { shape });
}

/** Elements `start … start+size-1` of each axis; a missing or undefined range takes the whole axis. */
export function slice(
  x: Tensor,
  ranges: readonly (readonly [start: number, stop: number] | undefined)[],
  step?: readonly number[],
): Tensor {
  const start = x.shape.map((_, i) => ranges[i]?.[0] ?? 0);
  const steps = x.shape.map((_, i) => step?.[i] ?? 1);
  const size = x.shape.map((d, i) => Math.max(0, Math.ceil(((ranges[i]?.[1] ?? d) - start[i]!) / steps[i]!)));
  return sameShape(size, x.shape) ? x : applyPrimitive("slice", [x], { start, size, step: steps });
}

/** Rows `start … stop-1` of the first axis. */
export const rows = (x: Tensor, start: number, stop: number): Tensor => slice(x, [[start, stop]]);

/** Pieces of `x` along `axis`; `sizes` must add up to its length. */
export function split(x: Tensor, sizes: readonly number[], axis = 0): Tensor[] {
  const at = normalizeAxis("split", axis, x.shape.length);
  if (sizes.reduce((a, b) => a + b, 0) !== x.shape[at])
    throw new ShapeError(`split: sizes [${sizes}] do not add up to ${x.shape[at]} (axis ${at} of [${x.shape}])`);
  let start = 0;
  return sizes.map((size) =>
    slice(
      x,
      x.shape.map((_, i) => (i === at ? [start, (start += size)] : undefined)),
    ),
  );
}

/** Elements in reverse order along `axes`. */
export function flip(x: Tensor, axes: readonly number[]): Tensor {
  return axes.length === 0 ? x : applyPrimitive("flip", [x], { axes: axes.map((a) => normalizeAxis("flip", a, x.shape.length)) });
}

/** `value` before (`low`) and after (`high`) each axis; negative amounts cut off. @throws ShapeError if more is cut off than there is */
export function pad(x: Tensor, low: readonly number[], high: readonly number[], value = 0): Tensor {
  const shape = x.shape.map((d, i) => d + low[i]! + high[i]!);
  if (shape.some((d) => d < 0)) throw new ShapeError(`pad: [${low}] and [${high}] cut more off than [${x.shape}] has`);
  // What is left of x, and where that begins and ends in the result.
  const kept = x.shape.map((d, i): [number, number] => [Math.min(d, Math.max(0, -low[i]!)), Math.max(0, Math.min(d, d + high[i]!))]);
  if (kept.some(([start, stop]) => start >= stop) && !x.shape.includes(0)) return full(shape, value, x.dtype);
  const [before, after] = [low, high].map((amounts) => amounts.map((n) => Math.max(0, n)));
  const rest = slice(x, kept);
  return sameShape(rest.shape, shape) ? rest : applyPrimitive("pad", [rest], { low: before!, high: after!, value });
}

/** Joined along `axis`; dtypes promote. @throws ShapeError if the other axes differ. */
export function concat(parts: readonly Tensor[], axis = 0): Tensor {
  if (parts.length === 0) throw new ShapeError("concat: no tensors given");
  const dtype = parts.map((p) => p.dtype).reduce(promote);
  const at = normalizeAxis("concat", axis, parts[0]!.shape.length);
  return parts.length === 1
    ? parts[0]!
    : applyPrimitive(
        "concat",
        parts.map((p) => cast(p, dtype)),
        { axis: at },
      );
}

/** A new axis of length `parts.length` at `axis`. */
export function stack(parts: readonly Tensor[], axis = 0): Tensor {
  return concat(
    parts.map((p) => reshape(p, [...p.shape.slice(0, axis), 1, ...p.shape.slice(axis)])),
    axis,
  );
}
