import { numbersOf } from "./attributes.js";
import type { Primitive } from "./primitive.js";

/** Axes reversed. Attribute `axes`. */
export const flip: Primitive = {
  name: "flip",
  group: "movement",
  infer: ([x]) => x!,
  gradient: ({ attrs }, dy, o) => [o.flip(dy, numbersOf(attrs, "axes"))],
  view: (view, shape, attrs) => {
    const axes = new Set(numbersOf(attrs, "axes"));
    return {
      shape,
      strides: view.strides.map((s, i) => (axes.has(i) ? -s : s)),
      offset: view.offset + shape.reduce((sum, d, i) => sum + (axes.has(i) ? (d - 1) * view.strides[i]! : 0), 0),
    };
  },
};
