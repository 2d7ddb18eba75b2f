import type { Primitive } from "./primitive.js";

export const barrier: Primitive = {
  name: "barrier",
  group: "control",
  meaning: "identity that is computed only after its second input",
  ordered: true,
  infer: ([x]) => x!,
  gradient: (_, dy) => [dy, undefined],
  view: (view) => view,
};
