import type { BinaryLanes } from "../program/formula.js";
import { corners } from "./bounds.js";
import { binary, type BinaryPrimitive } from "./elementwise.js";

/** a - b. */
export const sub: BinaryPrimitive = binary({
  name: "sub",
  f64: (a, b) => a - b,
  bounds: corners((a, b) => a - b),
  gradient: (_, dy, o) => [dy, o.neg(dy)],
});

export const lanes: BinaryLanes = { float: (l, a, b) => l.sub(a, b), integer: (l, a, b) => l.isub(a, b) };
