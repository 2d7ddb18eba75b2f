import type { UnaryLanes } from "../program/formula.js";
import { derivative, unary, type UnaryPrimitive } from "./elementwise.js";

/** 1 / √x. */
export const rsqrt: UnaryPrimitive = unary({
  name: "rsqrt",
  f64: (x) => 1 / Math.sqrt(x),
  gradient: derivative((x, y, o) => o.mul(o.div(y, x), -0.5)),
});

export const lanes: UnaryLanes = { float: (l, x) => l.div(l.f32(1), l.sqrt(x)) };
