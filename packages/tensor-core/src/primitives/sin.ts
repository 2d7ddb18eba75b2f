import { derivative, unary, type UnaryPrimitive } from "./elementwise.js";

export const sin: UnaryPrimitive = unary({
  name: "sin",
  meaning: "sine of x radians",
  f64: Math.sin,
  gradient: derivative((x, _, o) => o.cos(x)),
});
