import type { IntegerLanes } from "../program/formula.js";
import { bitwise, type BinaryPrimitive } from "./elementwise.js";

/** ⌊a / 2^b⌋; for b outside 0 … 31 the sign, 0 or -1. */
export const shiftRight: BinaryPrimitive = bitwise({
  name: "shiftRight",
  f64: (a, b) => a >> (b < 0 || b > 31 ? 31 : b),
});

export const lanes: IntegerLanes = { integer: (l, a, b) => l.ishr(a, b) };
