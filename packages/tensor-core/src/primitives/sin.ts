import type { UnaryLanes } from "../program/formula.js";
import { derivative, unary, type UnaryPrimitive } from "./elementwise.js";
import { sinCos } from "./sin-cos.js";

/** Sine of x radians. */
export const sin: UnaryPrimitive = unary({
  name: "sin",
  f64: Math.sin,
  gradient: derivative((x, _, o) => o.cos(x)),
});

export const lanes: UnaryLanes = { float: (l, x) => sinCos(l, x, 0) };
