import type { UnaryLanes } from "../program/formula.js";
import { derivative, unary, type UnaryPrimitive } from "./elementwise.js";
import { sinCos } from "./sin-cos.js";

export const sin: UnaryPrimitive = unary({
  name: "sin",
  meaning: "sine of x radians",
  f64: Math.sin,
  gradient: derivative((x, _, o) => o.cos(x)),
});

export const lanes: UnaryLanes = { float: (l, x) => sinCos(l, x, 0) };
