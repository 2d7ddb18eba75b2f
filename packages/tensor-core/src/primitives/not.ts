import type { TestLanes } from "../program/formula.js";
import { sliceEach, type UnaryPrimitive } from "./elementwise.js";

/** Logical negation: x = 0. */
export const not: UnaryPrimitive = {
  name: "not",
  group: "unary",
  pointwise: true,
  infer: ([x]) => ({ shape: x!.shape, dtype: "bool" }),
  slice: sliceEach,
  f64: (x) => (x !== 0 ? 0 : 1),
};

export const lanes: TestLanes = { test: true, float: (l, x) => l.eq(x, l.f32(0)), integer: (l, x) => l.ieq(x, l.i32(0)) };
