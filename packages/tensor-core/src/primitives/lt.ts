import type { TestLanes } from "../program/formula.js";
import { type BinaryPrimitive, comparison } from "./elementwise.js";

/** a < b. */
export const lt: BinaryPrimitive = comparison("lt", (a, b) => a < b);

export const lanes: TestLanes = { test: true, float: (l, a, b) => l.lt(a, b), integer: (l, a, b) => l.ilt(a, b) };
