import { applyPrimitive } from "../apply-primitive.js";
import type { Tensor } from "../graph.js";
import { contiguousStrides, normalizeAxis } from "../shape.js";
import { iota } from "./create.js";
import { add, mul } from "./elementwise.js";
import { gather } from "./linear.js";
import { reshape } from "./movement.js";

/** Along which axis is sorted, and in which direction. */
export interface SortOptions {
  /** From the largest to the smallest. */
  readonly descending?: boolean;
}

/** Indices (i32) that sort `x` along `axis`; equal elements stay in their order, and NaN counts as larger than all numbers, as in torch. */
export function argsort(x: Tensor, axis = -1, options: SortOptions = {}): Tensor {
  return applyPrimitive("argsort", [x], {
    axis: normalizeAxis("argsort", axis, x.shape.length),
    descending: options.descending ?? false,
  });
}

/** The elements of `x` along `axis` in the order of `indices`, which has the shape of `x` but for that axis (torch `take_along_dim`). */
function takeAlong(x: Tensor, indices: Tensor, axis: number): Tensor {
  const flat = contiguousStrides(x.shape).reduce(
    (at, stride, i) => {
      const place = i === axis ? indices : iota(indices.shape, i);
      return add(at, stride === 1 ? place : mul(place, stride));
    },
    iota(indices.shape.map(() => 1)),
  );
  return gather(reshape(x, [x.size]), flat);
}

/** `x` in order along `axis`, and where each element was (i32). Gradients go back to where the values came from. @see argsort */
export function sort(x: Tensor, axis = -1, options: SortOptions = {}): { values: Tensor; indices: Tensor } {
  const at = normalizeAxis("sort", axis, x.shape.length);
  const indices = argsort(x, at, options);
  return { values: takeAlong(x, indices, at), indices };
}
