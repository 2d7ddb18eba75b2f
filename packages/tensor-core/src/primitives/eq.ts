import { type BinaryPrimitive, comparison } from "./elementwise.js";

export const eq: BinaryPrimitive = comparison("eq", "a = b", (a, b) => a === b, {
  float: (l, a, b) => l.eq(a, b),
  integer: (l, a, b) => l.ieq(a, b),
});
