import { whole } from "../box.js";
import { ShapeError } from "../errors.js";
import { sizeOf } from "../shape.js";
import { numbersOf } from "./attributes.js";
import { besideBox, boxOffset, checkStarts, forEachInBox } from "./moving-box.js";
import type { Primitive } from "./primitive.js";

/**
 * a box of x that begins at `starts`, which are data, moved inside where it would leave x.
 * Inputs x and starts i32 [k]; attributes `axes` (k of them) and `size`, the box along each.
 */
export const dynamicSlice: Primitive = {
  name: "dynamicSlice",
  group: "index",
  anyStrides: true,
  infer: ([x, starts], attrs) => {
    const [axes, size] = [numbersOf(attrs, "axes"), numbersOf(attrs, "size")];
    checkStarts("dynamicSlice", starts!, axes);
    const shape = x!.shape.map((d, i) => (axes.includes(i) ? size[axes.indexOf(i)]! : d));
    if (size.length !== axes.length || shape.some((d, i) => !(d >= 0 && d <= x!.shape[i]!)))
      throw new ShapeError(`dynamicSlice: a box of [${size}] along the axes [${axes}] does not fit into [${x!.shape}]`);
    return { shape, dtype: x!.dtype };
  },
  gradient: ({ inputs: [x, starts], attrs }, dy, o) => [
    o.update(o.zeros(x!.shape, x!.dtype), dy, starts!, numbersOf(attrs, "axes")),
    undefined,
  ],
  slice: ({ inputs: [x, starts], output, attrs }, box) => {
    const axes = numbersOf(attrs, "axes");
    const part = besideBox(output.shape, axes, box);
    return (
      part && {
        boxes: [part.taken.map((range, i) => (axes.includes(i) ? whole(x!.shape[i]!) : range)), starts!.shape.map(whole)],
        within: part.within,
      }
    );
  },
  reference: ([x, starts], attrs, out) => {
    const result = new Float64Array(sizeOf(out.shape));
    const first = boxOffset(x!.shape, numbersOf(attrs, "axes"), starts!.values, out.shape);
    forEachInBox(x!.shape, first, out.shape, (at, i) => (result[i] = x!.values[at]!));
    return result;
  },
};
