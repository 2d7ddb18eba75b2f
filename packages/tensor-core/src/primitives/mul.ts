import type { BinaryLanes } from "../program/formula.js";
import { corners } from "./bounds.js";
import { binary, type BinaryPrimitive } from "./elementwise.js";

/** a · b; i32 products are exact modulo 2^32. */
export const mul: BinaryPrimitive = binary({
  name: "mul",
  f64: (a, b) => a * b,
  bounds: corners((a, b) => a * b),
  integer: Math.imul,
  gradient: ({ inputs: [a, b] }, dy, o) => [o.mul(dy, b!), o.mul(dy, a!)],
});

export const lanes: BinaryLanes = { float: (l, a, b) => l.mul(a, b), integer: (l, a, b) => l.imul(a, b) };
