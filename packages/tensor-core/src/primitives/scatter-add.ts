import { DTypeError, ShapeError } from "../errors.js";
import { sameShape } from "../shape.js";
import { around } from "./around.js";
import { axisOf } from "./attributes.js";
import { indicesAlongAxis, picked } from "./gather.js";
import type { Primitive } from "./primitive.js";

/** Base with updates added at index along an axis; repeated indices add up, those outside the axis are left out. Attribute `axis`. */
export const scatterAdd: Primitive = {
  name: "scatterAdd",
  group: "index",
  indices: indicesAlongAxis,
  infer: ([base, index, updates], attrs) => {
    const expected = picked(base!, index!, attrs).shape;
    if (!sameShape(updates!.shape, expected)) throw new ShapeError(`scatterAdd: updates are [${updates!.shape}], expected [${expected}]`);
    if (updates!.dtype !== base!.dtype) throw new DTypeError(`scatterAdd: updates are ${updates!.dtype}, base is ${base!.dtype}`);
    return base!;
  },
  gradient: ({ inputs: [, index], attrs }, dy, o) => [dy, undefined, o.gather(dy, index!, axisOf(attrs))],
  reference: ([base, index, updates], attrs) => {
    const [outer, n, inner] = around(base!.shape, axisOf(attrs));
    const result = base!.values.slice();
    let at = 0;
    for (let o = 0; o < outer; o++) {
      for (const i of index!.values) {
        const to = (o * n + i) * inner;
        if (i >= 0 && i < n) for (let k = 0; k < inner; k++) result[to + k]! += updates!.values[at + k]!;
        at += inner;
      }
    }
    return result;
  },
};
