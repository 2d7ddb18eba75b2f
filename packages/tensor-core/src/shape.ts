import { ShapeError } from "./errors.js";

/** Sizes of a tensor's axes, from the outermost to the innermost. */
export type Shape = readonly number[];

/** Number of elements. */
export function sizeOf(shape: Shape): number {
  return shape.reduce((a, b) => a * b, 1);
}

/** Whether two shapes are the same. */
export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((d, i) => d === b[i]);
}

/** Row-major strides in elements. */
export function contiguousStrides(shape: Shape): number[] {
  const strides = Array.from<number>({ length: shape.length });
  let step = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = step;
    step *= shape[i]!;
  }
  return strides;
}

/** True if a view with these strides lists its elements in storage order without gaps (axes of length 1 do not count). */
export function isContiguous(shape: Shape, strides: readonly number[]): boolean {
  let step = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    if (shape[i] !== 1 && strides[i] !== step) return false;
    step *= shape[i]!;
  }
  return true;
}

/** The common shape of two operands by NumPy's rule. @throws ShapeError naming `op` and both shapes. */
export function broadcastShapes(op: string, a: Shape, b: Shape): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const x = a[a.length - rank + i] ?? 1;
    const y = b[b.length - rank + i] ?? 1;
    if (x !== y && x !== 1 && y !== 1) throw new ShapeError(`${op}: shapes [${a}] and [${b}] do not broadcast (axis ${i}: ${x} and ${y})`);
    return x === 1 ? y : x;
  });
}

/** An axis counted from the front; negative ones count from the end. */
export function normalizeAxis(op: string, axis: number, rank: number): number {
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank)
    throw new ShapeError(`${op}: axis ${axis} is outside a tensor of rank ${rank}`);
  return axis < 0 ? axis + rank : axis;
}

/**
 * Strides of `shape` over the elements of a view of `from` with `strides`, or undefined if that needs a copy.
 * Each run of old axes is matched with a run of new axes of the same size.
 */
export function reshapeStrides(from: Shape, strides: readonly number[], to: Shape): number[] | undefined {
  if (isContiguous(from, strides)) return contiguousStrides(to);
  const result = to.map(() => 0);
  let i = 0;
  let j = 0;
  while (i < from.length || j < to.length) {
    let a = i < from.length ? from[i]! : 1;
    let b = j < to.length ? to[j]! : 1;
    const startI = i;
    const startJ = j;
    i++;
    j++;
    while (a !== b) {
      if (a < b) {
        if (i >= from.length) return undefined;
        a *= from[i++]!;
      } else {
        if (j >= to.length) return undefined;
        b *= to[j++]!;
      }
    }
    // The old run must itself be one arithmetic progression.
    const run = [];
    for (let k = startI; k < Math.min(i, from.length); k++) if (from[k] !== 1) run.push(k);
    for (let k = 0; k + 1 < run.length; k++) if (strides[run[k]!]! !== strides[run[k + 1]!]! * from[run[k + 1]!]!) return undefined;
    let step = run.length > 0 ? strides[run[run.length - 1]!]! : 0;
    for (let k = Math.min(j, to.length) - 1; k >= startJ; k--) {
      result[k] = step;
      step *= to[k]!;
    }
  }
  return result;
}
