import type { UnaryLanes } from "../program/formula.js";
import { derivative, unary, type UnaryPrimitive } from "./elementwise.js";

/** 1 / x. */
export const reciprocal: UnaryPrimitive = unary({
  name: "reciprocal",
  f64: (x) => 1 / x,
  gradient: derivative((_, y, o) => o.neg(o.square(y))),
});

export const lanes: UnaryLanes = { float: (l, x) => l.div(l.f32(1), x) };
