import type { UnaryLanes } from "../program/formula.js";
import { unary, type UnaryPrimitive } from "./elementwise.js";

/** The next integer below. */
export const floor: UnaryPrimitive = unary({
  name: "floor",
  f64: Math.floor,
});

export const lanes: UnaryLanes = { float: (l, x) => l.floor(x), integer: (_, x) => x };
