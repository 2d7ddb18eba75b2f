import type { UnaryLanes } from "../program/formula.js";
import { unary, type UnaryPrimitive } from "./elementwise.js";

/** -x. */
export const neg: UnaryPrimitive = unary({
  name: "neg",
  f64: (x) => -x,
  gradient: (_, dy, o) => [o.neg(dy)],
});

export const lanes: UnaryLanes = { float: (l, x) => l.neg(x), integer: (l, x) => l.ineg(x) };
