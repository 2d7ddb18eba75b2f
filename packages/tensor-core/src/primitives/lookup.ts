import { isFloat } from "../dtype.js";
import { DTypeError, IndexError, ShapeError } from "../errors.js";
import { whole } from "../box.js";
import type { Primitive } from "./primitive.js";

/** An entry of a table by number. @throws IndexError */
export function entryOf(table: ArrayLike<number>, i: number): number {
  if (i < 0 || i >= table.length) throw new IndexError("lookup", "index", i, [0, table.length - 1]);
  return table[i]!;
}

/**
 * x[index] for each element of index, x a vector; indices must be in range.
 * Runs within fused loops and trusts its indices (codes of a format), where `gather` is a kernel of its own that looks at them; a device that checks indices checks both.
 */
export const lookup: Primitive = {
  name: "lookup",
  group: "index",
  pointwise: true,
  table: 0,
  infer: ([x, index]) => {
    if (x!.shape.length !== 1) throw new ShapeError(`lookup: the table is [${x!.shape}], expected a vector`, { hint: "reshape(x, [-1])" });
    if (isFloat(index!.dtype)) throw new DTypeError(`lookup: indices must be integers, got ${index!.dtype}`);
    return { shape: index!.shape, dtype: x!.dtype };
  },
  gradient: ({ inputs: [x, index] }, dy, o) => [o.scatterAdd(o.zeros(x!.shape, x!.dtype), index!, dy, 0), undefined],
  indices: ([x]) => [{ input: 1, name: "index", least: 0, most: x!.shape[0]! - 1 }],
  bounds: ([x]) => x,
  slice: ({ inputs: [x] }, box) => ({ boxes: [[whole(x!.shape[0]!)], box] }),
  reference: ([x, index]) => index!.values.map((i) => entryOf(x!.values, i)),
};
