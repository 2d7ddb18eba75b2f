import { derivative, unary, type UnaryPrimitive } from "./elementwise.js";

export const exp: UnaryPrimitive = unary({
  name: "exp",
  meaning: "e to the power of x",
  f64: Math.exp,
  gradient: derivative((_, y) => y),
});
