import type { UnaryLanes } from "../program/formula.js";
import { unary, type UnaryPrimitive } from "./elementwise.js";

function roundEven(x: number): number {
  const low = Math.floor(x);
  const rest = x - low;
  if (rest === 0.5) return low % 2 === 0 ? low : low + 1;
  return rest < 0.5 ? low : low + 1;
}

/** The nearest integer, ties to even. */
export const round: UnaryPrimitive = unary({
  name: "round",
  f64: roundEven,
});

export const lanes: UnaryLanes = { float: (l, x) => l.nearest(x), integer: (_, x) => x };
