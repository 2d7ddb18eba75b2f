import { unary, type UnaryPrimitive } from "./elementwise.js";

export const not: UnaryPrimitive = {
  ...unary({
    name: "not",
    meaning: "logical negation: x = 0",
    f64: (x) => (x !== 0 ? 0 : 1),
  }),
  infer: ([x]) => ({ shape: x!.shape, dtype: "bool" }),
};
