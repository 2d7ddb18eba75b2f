import type { IntegerLanes } from "../program/formula.js";
import { corners } from "./bounds.js";
import { bitwise, type BinaryPrimitive } from "./elementwise.js";

const shifted = (a: number, b: number): number => a >> (b < 0 || b > 31 ? 31 : b);

/** ⌊a / 2^b⌋; for b outside 0 … 31 the sign, 0 or -1. */
export const shiftRight: BinaryPrimitive = bitwise({
  name: "shiftRight",
  f64: shifted,
  bounds: corners(shifted, 0),
});

export const lanes: IntegerLanes = { integer: (l, a, b) => l.ishr(a, b) };
