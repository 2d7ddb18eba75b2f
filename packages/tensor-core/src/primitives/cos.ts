import { derivative, unary, type UnaryPrimitive } from "./elementwise.js";

export const cos: UnaryPrimitive = unary({
  name: "cos",
  meaning: "cosine of x radians",
  f64: Math.cos,
  gradient: derivative((x, _, o) => o.neg(o.sin(x))),
});
