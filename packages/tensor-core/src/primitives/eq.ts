import type { TestLanes } from "../program/formula.js";
import { type BinaryPrimitive, comparison } from "./elementwise.js";

/** a = b. */
export const eq: BinaryPrimitive = comparison("eq", (a, b) => a === b);

export const lanes: TestLanes = { test: true, float: (l, a, b) => l.eq(a, b), integer: (l, a, b) => l.ieq(a, b) };
