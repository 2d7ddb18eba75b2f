import type { BinaryLanes } from "../program/formula.js";
import { corners } from "./bounds.js";
import { binary, type BinaryPrimitive } from "./elementwise.js";

/** a + b. */
export const add: BinaryPrimitive = binary({
  name: "add",
  f64: (a, b) => a + b,
  bounds: corners((a, b) => a + b),
  gradient: (_, dy) => [dy, dy],
});

export const lanes: BinaryLanes = { float: (l, a, b) => l.add(a, b), integer: (l, a, b) => l.iadd(a, b) };
