import type { BinaryLanes } from "../program/formula.js";
import { corners } from "./bounds.js";
import { binary, type BinaryPrimitive } from "./elementwise.js";
import { shareAtTie } from "./tie.js";

/** The smaller one; NaN wins, as in torch. */
export const min: BinaryPrimitive = binary({
  name: "min",
  f64: (a, b) => (a !== a || b !== b ? NaN : a < b ? a : b),
  bounds: corners(Math.min),
  gradient: shareAtTie((a, b, o) => o.less(a, b)),
});

export const lanes: BinaryLanes = { float: (l, a, b) => l.min(a, b), integer: (l, a, b) => l.imin(a, b) };
