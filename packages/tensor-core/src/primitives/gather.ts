import type { Attrs } from "../attrs.js";
import { whole } from "../box.js";
import { isFloat } from "../dtype.js";
import { DTypeError } from "../errors.js";
import type { TensorSpec } from "../tensor-spec.js";
import { around } from "./around.js";
import { axisOf } from "./attributes.js";
import { hull } from "./bounds.js";
import type { IndexRule, Primitive } from "./primitive.js";

/** What picking `index` along an axis of `x` gives. */
export function picked(x: TensorSpec, index: TensorSpec, attrs: Attrs): TensorSpec {
  const axis = axisOf(attrs);
  if (isFloat(index.dtype)) throw new DTypeError(`gather: indices must be integers, got ${index.dtype}`);
  return { shape: [...x.shape.slice(0, axis), ...index.shape, ...x.shape.slice(axis + 1)], dtype: x.dtype };
}

/** The second input holds indices along an axis of the first. */
export const indicesAlongAxis: IndexRule = ([x], attrs) => [{ input: 1, name: "index", least: 0, most: x!.shape[axisOf(attrs)]! - 1 }];

/** x[…, index, …] along an axis (embedding look-up); 0 where the index lies outside it. Attribute `axis`. */
export const gather: Primitive = {
  name: "gather",
  group: "index",
  infer: ([x, index], attrs) => picked(x!, index!, attrs),
  gradient: ({ inputs: [x, index], attrs }, dy, o) => [o.scatterAdd(o.zeros(x!.shape, x!.dtype), index!, dy, axisOf(attrs)), undefined],
  indices: indicesAlongAxis,
  bounds: ([x]) => hull([x!, { least: 0, most: 0 }]),
  slice: ({ inputs: [x, index], attrs }, box) => {
    const axis = axisOf(attrs);
    const behind = axis + index!.shape.length;
    return { boxes: [[...box.slice(0, axis), whole(x!.shape[axis]!), ...box.slice(behind)], box.slice(axis, behind)] };
  },
  reference: ([x, index], attrs) => {
    const [outer, n, inner] = around(x!.shape, axisOf(attrs));
    const result = new Float64Array(outer * index!.values.length * inner);
    let at = 0;
    for (let o = 0; o < outer; o++) {
      for (const i of index!.values) {
        const from = (o * n + i) * inner;
        if (i >= 0 && i < n) result.set(x!.values.subarray(from, from + inner), at);
        at += inner;
      }
    }
    return result;
  },
};
