import type { TestLanes } from "../program/formula.js";
import { type BinaryPrimitive, comparison } from "./elementwise.js";

/** a ≤ b. */
export const le: BinaryPrimitive = comparison("le", (a, b) => a <= b);

export const lanes: TestLanes = { test: true, float: (l, a, b) => l.le(a, b), integer: (l, a, b) => l.ile(a, b) };
