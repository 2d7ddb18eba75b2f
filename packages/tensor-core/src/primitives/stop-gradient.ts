import { sliceEach } from "./elementwise.js";
import type { Primitive } from "./primitive.js";

export const stopGradient: Primitive = {
  name: "stopGradient",
  group: "control",
  meaning: "identity without gradient",
  pointwise: true,
  ordered: true,
  infer: ([x]) => x!,
  slice: sliceEach,
  view: (view) => view,
};
