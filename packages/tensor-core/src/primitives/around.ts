import { type Shape, sizeOf } from "../shape.js";

/** Splits an index space around `axis`: elements before, along and behind it. */
export function around(shape: Shape, axis: number): [outer: number, n: number, inner: number] {
  return [sizeOf(shape.slice(0, axis)), shape[axis]!, sizeOf(shape.slice(axis + 1))];
}
