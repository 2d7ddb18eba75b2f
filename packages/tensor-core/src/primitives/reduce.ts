import { whole } from "../box.js";
import { type DType, isFloat } from "../dtype.js";
import { sizeOf } from "../shape.js";
import type { TensorSpec } from "../tensor-spec.js";
import { numbersOf } from "./attributes.js";
import { max } from "./max.js";
import { min } from "./min.js";
import type { Ops } from "./ops.js";
import type { Primitive } from "./primitive.js";

/** Names of the reductions. */
export type ReduceOp = "sum" | "prod" | "max" | "min";

/** Start value (that of no elements) and step of a reduction, in f64. */
export const REDUCTIONS: Readonly<Record<ReduceOp, { readonly start: number; readonly step: (a: number, b: number) => number }>> = {
  sum: { start: 0, step: (a, b) => a + b },
  prod: { start: 1, step: (a, b) => a * b },
  max: { start: -Infinity, step: max.f64 },
  min: { start: Infinity, step: min.f64 },
};

/** Step of a reduction of elements of `dtype`: products of integers wrap, where f64 would round them. */
export function stepOf(how: ReduceOp, dtype: DType): (a: number, b: number) => number {
  return how === "prod" && !isFloat(dtype) ? Math.imul : REDUCTIONS[how].step;
}

/** Values per row brought back to the shape of the input of the reduction. */
function spread<T extends TensorSpec>(x: T, axes: readonly number[], rows: T, o: Ops<T>): T {
  return o.broadcastTo(
    o.reshape(
      rows,
      x.shape.map((d, i) => (axes.includes(i) ? 1 : d)),
    ),
    x.shape,
  );
}

/** The product of all other elements along the axes. With one zero it is 0 but for the zero itself; with more it is 0 everywhere. */
function otherFactors<T extends TensorSpec>(x: T, axes: readonly number[], o: Ops<T>): T {
  const along = { axes, keepDims: true };
  const zero = o.equal(x, 0);
  const zeros = o.broadcastTo(o.sum(zero, along), x.shape);
  const rest = o.broadcastTo(o.prod(o.where(zero, 1, x), along), x.shape);
  return o.where(zero, o.where(o.equal(zeros, 1), rest, 0), o.where(o.equal(zeros, 0), o.div(rest, x), 0));
}

/** Sum, prod, max or min over axes, which disappear. Attributes `how` (`ReduceOp`) and `axes` in rising order. */
export const reduce: Primitive = {
  name: "reduce",
  group: "reduce",
  infer: ([x], attrs) => {
    const axes = numbersOf(attrs, "axes");
    return { shape: x!.shape.filter((_, i) => !axes.includes(i)), dtype: x!.dtype };
  },
  gradient: ({ inputs: [x], output, attrs }, dy, o) => {
    const axes = numbersOf(attrs, "axes");
    const wide = spread(x!, axes, dy, o);
    if (attrs.how === "sum") return [wide];
    if (attrs.how === "prod") return [o.mul(wide, otherFactors(x!, axes, o))];
    // max, min: shared equally among ties, as torch's amax and amin.
    const chosen = o.cast(o.equal(x!, spread(x!, axes, output, o)), x!.dtype);
    return [o.div(o.mul(wide, chosen), o.broadcastTo(o.sum(chosen, { axes, keepDims: true }), x!.shape))];
  },
  slice: ({ inputs: [x], attrs }, box) => {
    const axes = numbersOf(attrs, "axes");
    let kept = 0;
    return { boxes: [x!.shape.map((d, i) => (axes.includes(i) ? whole(d) : box[kept++]!))] };
  },
  // A step of its own only as the sum of a matrix over its rows; all else is fused.
  reference: ([x], _, out) => {
    const result = new Float64Array(sizeOf(out.shape));
    x!.values.forEach((v, i) => (result[i % result.length]! += v));
    return result;
  },
  flops: ([x]) => sizeOf(x!.shape),
};
