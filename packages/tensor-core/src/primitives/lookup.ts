import { isFloat } from "../dtype.js";
import { DTypeError, ShapeError } from "../errors.js";
import { whole } from "../box.js";
import type { Primitive } from "./primitive.js";

/** @throws ShapeError for an index outside its axis */
export function checkIndex(op: string, i: number, n: number): number {
  if (i < 0 || i >= n) throw new ShapeError(`${op}: index ${i} is outside an axis of ${n} elements`);
  return i;
}

/** Runs within fused loops and trusts its indices (codes of a format), where `gather` is a kernel of its own that looks at them. */
export const lookup: Primitive = {
  name: "lookup",
  group: "index",
  meaning: "x[index] for each element of index, x a vector; indices must be in range",
  pointwise: true,
  table: 0,
  infer: ([x, index]) => {
    if (x!.shape.length !== 1) throw new ShapeError(`lookup: the table is [${x!.shape}], expected a vector`, { hint: "reshape(x, [-1])" });
    if (isFloat(index!.dtype)) throw new DTypeError(`lookup: indices must be integers, got ${index!.dtype}`);
    return { shape: index!.shape, dtype: x!.dtype };
  },
  gradient: ({ inputs: [x, index] }, dy, o) => [o.scatterAdd(o.zeros(x!.shape, x!.dtype), index!, dy, 0), undefined],
  slice: ({ inputs: [x] }, box) => ({ boxes: [[whole(x!.shape[0]!)], box] }),
  reference: ([x, index]) => index!.values.map((i) => x!.values[checkIndex("lookup", i, x!.values.length)]!),
};
