import { isFloat } from "../dtype.js";
import type { Tensor } from "../graph.js";
import type { ReduceOp } from "../primitives/reduce.js";
import { applyPrimitive } from "../apply-primitive.js";
import { normalizeAxis } from "../shape.js";
import { add, exp, log, mul, square, stopGradient, sub } from "./elementwise.js";
import { cast } from "./cast.js";
import { reshape } from "./movement.js";

/** Over which axes a reduction goes, and whether they stay with size 1. */
export interface ReduceOptions {
  /** Axes to reduce; all if not given. */
  readonly axes?: readonly number[];
  /** Keep the reduced axes with length 1. */
  readonly keepDims?: boolean;
}

function reduce(how: ReduceOp, x: Tensor, options: ReduceOptions): Tensor {
  const axes = [...new Set((options.axes ?? x.shape.map((_, i) => i)).map((a) => normalizeAxis(how, a, x.shape.length)))].sort(
    (a, b) => a - b,
  );
  const input = x.dtype === "bool" ? cast(x, "i32") : x;
  const result = axes.length === 0 ? input : applyPrimitive("reduce", [input], { how, axes });
  return options.keepDims
    ? reshape(
        result,
        x.shape.map((d, i) => (axes.includes(i) ? 1 : d)),
      )
    : result;
}

/** The sum over axes; of floats accumulated in f32 or better. */
export const sum = (x: Tensor, options: ReduceOptions = {}): Tensor => reduce("sum", x, options);
/** The product over axes. */
export const prod = (x: Tensor, options: ReduceOptions = {}): Tensor => reduce("prod", x, options);
/** The largest element over axes; NaN where there is one. */
export const max = (x: Tensor, options: ReduceOptions = {}): Tensor => reduce("max", x, options);
/** The smallest element over axes; NaN where there is one. */
export const min = (x: Tensor, options: ReduceOptions = {}): Tensor => reduce("min", x, options);

/** Arithmetic mean; integers give f32. */
export function mean(x: Tensor, options: ReduceOptions = {}): Tensor {
  const values = isFloat(x.dtype) ? x : cast(x, "f32");
  const total = sum(values, options);
  return mul(total, total.size / Math.max(1, x.size));
}

/** Index (i32) of the first largest element along `axis`. */
export function argmax(x: Tensor, axis = -1): Tensor {
  return applyPrimitive("argreduce", [x], { how: "max", axis: normalizeAxis("argmax", axis, x.shape.length) });
}
/** The place of the smallest element along an axis, i32; of equal ones the first. */
export function argmin(x: Tensor, axis = -1): Tensor {
  return applyPrimitive("argreduce", [x], { how: "min", axis: normalizeAxis("argmin", axis, x.shape.length) });
}

/** log Σ exp(x) along `axes`, safe from overflow. */
export function logSumExp(x: Tensor, options: ReduceOptions = {}): Tensor {
  const peak = stopGradient(max(x, { ...options, keepDims: true }));
  const total = log(sum(exp(sub(x, peak)), options));
  return add(total, reshape(peak, total.shape));
}

/** √Σx² along `axes`, in f32. */
export function norm(x: Tensor, options: ReduceOptions = {}): Tensor {
  return applyPrimitive("sqrt", [sum(square(cast(x, "f32")), options)]);
}
