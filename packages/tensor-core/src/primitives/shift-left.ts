import type { IntegerLanes } from "../program/formula.js";
import { bitwise, type BinaryPrimitive } from "./elementwise.js";

/** a · 2^b modulo 2^32; 0 for b outside 0 … 31. */
export const shiftLeft: BinaryPrimitive = bitwise({
  name: "shiftLeft",
  f64: (a, b) => (b < 0 || b > 31 ? 0 : a << b),
});

export const lanes: IntegerLanes = { integer: (l, a, b) => l.ishl(a, b) };
