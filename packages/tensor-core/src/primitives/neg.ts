import { unary, type UnaryPrimitive } from "./elementwise.js";

export const neg: UnaryPrimitive = unary({
  name: "neg",
  meaning: "-x",
  f64: (x) => -x,
  gradient: (_, dy, o) => [o.neg(dy)],
});
