import { derivative, unary, type UnaryPrimitive } from "./elementwise.js";

export const sqrt: UnaryPrimitive = unary({
  name: "sqrt",
  meaning: "√x",
  f64: Math.sqrt,
  gradient: derivative((_, y, o) => o.div(0.5, y)),
});
