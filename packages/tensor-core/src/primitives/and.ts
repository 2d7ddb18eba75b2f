import { isNonzero, isTrue, type TestLanes } from "../program/formula.js";
import { type BinaryPrimitive, comparison } from "./elementwise.js";

/** a ≠ 0 and b ≠ 0. */
export const and: BinaryPrimitive = comparison("and", (a, b) => a !== 0 && b !== 0);

export const lanes: TestLanes = {
  test: true,
  float: (l, a, b) => l.both(isTrue(l, a), isTrue(l, b)),
  integer: (l, a, b) => l.both(isNonzero(l, a), isNonzero(l, b)),
};
