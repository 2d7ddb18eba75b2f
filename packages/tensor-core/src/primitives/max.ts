import type { BinaryLanes } from "../program/formula.js";
import { corners } from "./bounds.js";
import { binary, type BinaryPrimitive } from "./elementwise.js";
import { shareAtTie } from "./tie.js";

/** The larger one; NaN wins, as in torch. */
export const max: BinaryPrimitive = binary({
  name: "max",
  f64: (a, b) => (a !== a || b !== b ? NaN : a > b ? a : b),
  bounds: corners(Math.max),
  gradient: shareAtTie((a, b, o) => o.greater(a, b)),
});

export const lanes: BinaryLanes = { float: (l, a, b) => l.max(a, b), integer: (l, a, b) => l.imax(a, b) };
