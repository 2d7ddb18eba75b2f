import type { UnaryLanes } from "../program/formula.js";
import { derivative, unary, type UnaryPrimitive } from "./elementwise.js";

/** √x. */
export const sqrt: UnaryPrimitive = unary({
  name: "sqrt",
  f64: Math.sqrt,
  gradient: derivative((_, y, o) => o.div(0.5, y)),
});

export const lanes: UnaryLanes = { float: (l, x) => l.sqrt(x) };
