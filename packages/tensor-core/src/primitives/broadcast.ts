import { boxShape, whole } from "../box.js";
import { ShapeError } from "../errors.js";
import { numbersOf } from "./attributes.js";
import type { Primitive } from "./primitive.js";

/** Axes of length 1 repeated. Attribute `shape`, of the rank of the input. */
export const broadcast: Primitive = {
  name: "broadcast",
  group: "movement",
  ordered: true,
  infer: ([x], attrs) => {
    const shape = numbersOf(attrs, "shape");
    if (shape.length !== x!.shape.length || shape.some((d, i) => x!.shape[i] !== d && x!.shape[i] !== 1))
      throw new ShapeError(`broadcast: [${x!.shape}] does not broadcast to [${shape}]`);
    return { shape, dtype: x!.dtype };
  },
  gradient: ({ inputs: [x] }, dy, o) => {
    const axes = dy.shape.map((_, i) => i).filter((i) => x!.shape[i] !== dy.shape[i]);
    return [o.sum(dy, { axes, keepDims: true })];
  },
  slice: ({ inputs: [x], output }, box) => ({
    boxes: [box.map((r, i) => (x!.shape[i] === output.shape[i] ? r : whole(1)))],
    attrs: { shape: boxShape(box) },
  }),
  view: (view, shape) => ({ ...view, shape, strides: view.strides.map((s, i) => (view.shape[i] === shape[i] ? s : 0)) }),
};
