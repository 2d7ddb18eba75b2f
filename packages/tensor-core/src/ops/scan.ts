import { applyPrimitive } from "../apply-primitive.js";
import { promote } from "../dtype.js";
import type { Tensor } from "../graph.js";
import { normalizeAxis } from "../shape.js";
import { cast } from "./cast.js";

/** Running sum along `axis`, from the end if `reverse`. */
export function cumsum(x: Tensor, axis = -1, reverse = false): Tensor {
  return applyPrimitive("scan", [x], { how: "sum", axis: normalizeAxis("cumsum", axis, x.shape.length), reverse });
}

/** The largest element so far along `axis`, from the end if `reverse`; NaN from the first NaN on. */
export function cummax(x: Tensor, axis = -1, reverse = false): Tensor {
  return applyPrimitive("scan", [x], { how: "max", axis: normalizeAxis("cummax", axis, x.shape.length), reverse });
}

/**
 * The linear recurrence h_i = a_i·h_{i-1} + b_i along `axis`, h_1 = b_1; from the end if `reverse`. A selective scan, or a decaying sum.
 * @param a factors, of the shape of `b` (floats; dtypes promote)
 * @throws ShapeError, DTypeError if they do not fit together
 */
export function linearScan(a: Tensor, b: Tensor, axis = -1, reverse = false): Tensor {
  const dtype = promote(a.dtype, b.dtype);
  return applyPrimitive("scan", [cast(a, dtype), cast(b, dtype)], {
    how: "linear",
    axis: normalizeAxis("linearScan", axis, b.shape.length),
    reverse,
  });
}
