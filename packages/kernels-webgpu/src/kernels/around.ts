import { sizeOf } from "@weft/tensor-core";

/** An index space around `axis`: the sizes before, at and behind it. */
export function around(shape: readonly number[], axis: number): { outer: number; n: number; inner: number } {
  return { outer: sizeOf(shape.slice(0, axis)), n: shape[axis]!, inner: sizeOf(shape.slice(axis + 1)) };
}
