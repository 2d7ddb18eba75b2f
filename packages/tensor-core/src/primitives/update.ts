import { whole } from "../box.js";
import { DTypeError, ShapeError } from "../errors.js";
import { numbersOf } from "./attributes.js";
import { besideBox, boxOffset, checkStarts, forEachInBox } from "./moving-box.js";
import type { Primitive } from "./primitive.js";

/**
 * Base with `value` in the box that begins at `starts`, which are data, moved inside where it would leave base.
 * Inputs base, value (as long as base but along the axes) and starts i32 [k]; attribute `axes` (k of them).
 */
export const update: Primitive = {
  name: "update",
  group: "index",
  anyStrides: true,
  overwrites: 0,
  infer: ([base, value, starts], attrs) => {
    const axes = numbersOf(attrs, "axes");
    checkStarts("update", starts!, axes);
    const fits =
      value!.shape.length === base!.shape.length &&
      base!.shape.every((d, i) => (axes.includes(i) ? value!.shape[i]! <= d : value!.shape[i] === d));
    if (!fits) throw new ShapeError(`update: a value [${value!.shape}] does not fit into [${base!.shape}] along the axes [${axes}]`);
    if (base!.dtype !== value!.dtype) throw new DTypeError(`update: the value is ${value!.dtype}, base is ${base!.dtype}`);
    return base!;
  },
  gradient: ({ inputs: [, value, starts], attrs }, dy, o) => {
    const axes = numbersOf(attrs, "axes");
    const size = axes.map((axis) => value!.shape[axis]!);
    return [o.update(dy, o.zeros(value!.shape, dy.dtype), starts!, axes), o.dynamicSlice(dy, starts!, size, axes), undefined];
  },
  slice: ({ inputs: [base, value, starts], attrs }, box) => {
    const axes = numbersOf(attrs, "axes");
    const part = besideBox(base!.shape, axes, box);
    return (
      part && {
        boxes: [part.taken, part.taken.map((range, i) => (axes.includes(i) ? whole(value!.shape[i]!) : range)), starts!.shape.map(whole)],
        within: part.within,
      }
    );
  },
  reference: ([base, value, starts], attrs) => {
    const result = base!.values.slice();
    const first = boxOffset(base!.shape, numbersOf(attrs, "axes"), starts!.values, value!.shape);
    forEachInBox(base!.shape, first, value!.shape, (at, i) => (result[at] = value!.values[i]!));
    return result;
  },
  flops: () => 0,
};
