import type { IntegerLanes } from "../program/formula.js";
import { bitwise, type BinaryPrimitive } from "./elementwise.js";

/** a and b, bit by bit. */
export const bitAnd: BinaryPrimitive = bitwise({
  name: "bitAnd",
  f64: (a, b) => a & b,
});

export const lanes: IntegerLanes = { integer: (l, a, b) => l.iand(a, b) };
