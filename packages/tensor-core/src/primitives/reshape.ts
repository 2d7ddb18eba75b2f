import { type Box, boxShape, whole } from "../box.js";
import { ShapeError } from "../errors.js";
import { reshapeStrides, type Shape, sizeOf } from "../shape.js";
import { numbersOf } from "./attributes.js";
import type { Part, Primitive } from "./primitive.js";

/** Where the axes of `from` that are longer than 1 lie in `to`, if a reshape only adds or drops axes of length 1. */
function sameAxes(from: Shape, to: Shape): number[] | undefined {
  const long = (shape: Shape): number[] => shape.flatMap((d, i) => (d === 1 ? [] : [i]));
  const [a, b] = [long(from), long(to)];
  if (a.length !== b.length || a.some((axis, i) => from[axis] !== to[b[i]!])) return undefined;
  return from.map((_, axis) => (a.includes(axis) ? b[a.indexOf(axis)]! : -1));
}

/**
 * Rows of a reshape that leaves the outermost axis alone, or makes it of several: the reshape of the entries of the outermost axis of
 * `from` that hold them, cut to the rows. Undefined if those are all, or if there is no such axis.
 */
function rowsOf(from: Shape, to: Shape, box: Box): Part | undefined {
  const merged = from.findIndex((_, i) => sizeOf(from.slice(0, i + 1)) === to[0]) + 1;
  const rest = box.slice(1).every(({ size }, i) => size === to[i + 1]);
  const { start, size, step } = box[0] ?? whole(0);
  if (merged === 0 || !rest || size === 0) return undefined;
  const each = sizeOf(from.slice(1, merged));
  const first = Math.floor(start / each);
  const count = Math.floor((start + (size - 1) * step) / each) + 1 - first;
  if (count === from[0]) return undefined;
  return {
    boxes: [[{ start: first, size: count, step: 1 }, ...from.slice(1).map(whole)]],
    attrs: { shape: [count * each, ...to.slice(1)] },
    within: [{ start: start - first * each, size, step }, ...box.slice(1)],
  };
}

/** Same elements in row-major order, other shape. Attribute `shape`. */
export const reshape: Primitive = {
  name: "reshape",
  group: "movement",
  ordered: true,
  infer: ([x], attrs) => {
    const shape = numbersOf(attrs, "shape");
    if (sizeOf(shape) !== sizeOf(x!.shape))
      throw new ShapeError(`reshape: [${x!.shape}] has ${sizeOf(x!.shape)} elements, [${shape}] has ${sizeOf(shape)}`);
    return { shape, dtype: x!.dtype };
  },
  gradient: ({ inputs: [x] }, dy, o) => [o.reshape(dy, x!.shape)],
  slice: ({ inputs: [x], output }, box) => {
    const axes = sameAxes(x!.shape, output.shape);
    if (!axes) return rowsOf(x!.shape, output.shape, box);
    return { boxes: [x!.shape.map((d, i) => (axes[i] === -1 ? whole(d) : box[axes[i]!]!))], attrs: { shape: boxShape(box) } };
  },
  view: (view, shape) => {
    const strides = reshapeStrides(view.shape, view.strides, shape);
    return strides && { ...view, shape, strides };
  },
};
