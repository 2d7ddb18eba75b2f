import type { TestLanes } from "../program/formula.js";
import { type BinaryPrimitive, comparison } from "./elementwise.js";

/** a ≠ b. */
export const ne: BinaryPrimitive = comparison("ne", (a, b) => a !== b);

export const lanes: TestLanes = { test: true, float: (l, a, b) => l.ne(a, b), integer: (l, a, b) => l.ine(a, b) };
