import { sliceEach } from "./elementwise.js";
import type { Primitive } from "./primitive.js";

/** Identity without gradient. */
export const stopGradient: Primitive = {
  name: "stopGradient",
  group: "control",
  pointwise: true,
  ordered: true,
  infer: ([x]) => x!,
  slice: sliceEach,
  view: (view) => view,
};
