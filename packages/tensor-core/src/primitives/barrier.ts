import type { Primitive } from "./primitive.js";

/** Identity that is computed only after its second input. */
export const barrier: Primitive = {
  name: "barrier",
  group: "control",
  ordered: true,
  infer: ([x]) => x!,
  gradient: (_, dy) => [dy, undefined],
  view: (view) => view,
};
