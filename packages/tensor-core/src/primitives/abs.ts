import type { UnaryLanes } from "../program/formula.js";
import { derivative, unary, type UnaryPrimitive } from "./elementwise.js";

/** |x|. */
export const abs: UnaryPrimitive = unary({
  name: "abs",
  f64: Math.abs,
  gradient: derivative((x, _, o) => o.sign(x)),
});

export const lanes: UnaryLanes = { float: (l, x) => l.abs(x), integer: (l, x) => l.iabs(x) };
