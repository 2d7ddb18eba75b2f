import { isNonzero, isTrue, type TestLanes } from "../program/formula.js";
import { type BinaryPrimitive, comparison } from "./elementwise.js";

/** a ≠ 0 or b ≠ 0. */
export const or: BinaryPrimitive = comparison("or", (a, b) => a !== 0 || b !== 0);

export const lanes: TestLanes = {
  test: true,
  float: (l, a, b) => l.either(isTrue(l, a), isTrue(l, b)),
  integer: (l, a, b) => l.either(isNonzero(l, a), isNonzero(l, b)),
};
