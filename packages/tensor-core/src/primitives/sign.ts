import { withSign } from "../program/arithmetic.js";
import type { UnaryLanes } from "../program/formula.js";
import { unary, type UnaryPrimitive } from "./elementwise.js";

/** -1, 0 or 1. */
export const sign: UnaryPrimitive = unary({
  name: "sign",
  f64: Math.sign,
});

export const lanes: UnaryLanes = {
  float: (l, x) => l.select(l.lt(l.f32(0), l.abs(x)), withSign(l, l.f32(1), x), x),
  integer: (l, x) => l.isub(l.flag(l.ilt(l.i32(0), x)), l.flag(l.ilt(x, l.i32(0)))),
};
