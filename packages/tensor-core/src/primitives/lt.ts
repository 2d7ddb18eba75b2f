import { type BinaryPrimitive, comparison } from "./elementwise.js";

export const lt: BinaryPrimitive = comparison("lt", "a < b", (a, b) => a < b, {
  float: (l, a, b) => l.lt(a, b),
  integer: (l, a, b) => l.ilt(a, b),
});
