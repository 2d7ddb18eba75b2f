import { derivative, unary, type UnaryPrimitive } from "./elementwise.js";

export const log: UnaryPrimitive = unary({
  name: "log",
  meaning: "natural logarithm",
  f64: Math.log,
  gradient: derivative((x, _, o) => o.reciprocal(x)),
});
