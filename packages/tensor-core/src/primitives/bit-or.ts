import type { IntegerLanes } from "../program/formula.js";
import { bitwise, type BinaryPrimitive } from "./elementwise.js";

/** a or b, bit by bit. */
export const bitOr: BinaryPrimitive = bitwise({
  name: "bitOr",
  f64: (a, b) => a | b,
});

export const lanes: IntegerLanes = { integer: (l, a, b) => l.ior(a, b) };
