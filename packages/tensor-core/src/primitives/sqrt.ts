import { derivative, unary, type UnaryPrimitive } from "./elementwise.js";

export const sqrt: UnaryPrimitive = unary({
  name: "sqrt",
  meaning: "√x",
  f64: Math.sqrt,
  lanes: { float: (l, x) => l.sqrt(x) },
  gradient: derivative((_, y, o) => o.div(0.5, y)),
});
