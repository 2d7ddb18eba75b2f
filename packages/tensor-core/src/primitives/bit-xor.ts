import type { IntegerLanes } from "../program/formula.js";
import { bitwise, type BinaryPrimitive } from "./elementwise.js";

/** The bits in which a and b differ. */
export const bitXor: BinaryPrimitive = bitwise({
  name: "bitXor",
  f64: (a, b) => a ^ b,
});

export const lanes: IntegerLanes = { integer: (l, a, b) => l.ixor(a, b) };
