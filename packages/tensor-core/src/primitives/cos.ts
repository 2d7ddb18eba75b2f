import type { UnaryLanes } from "../program/formula.js";
import { derivative, unary, type UnaryPrimitive } from "./elementwise.js";
import { sinCos } from "./sin-cos.js";

/** Cosine of x radians. */
export const cos: UnaryPrimitive = unary({
  name: "cos",
  f64: Math.cos,
  gradient: derivative((x, _, o) => o.neg(o.sin(x))),
});

export const lanes: UnaryLanes = { float: (l, x) => sinCos(l, x, 1) };
