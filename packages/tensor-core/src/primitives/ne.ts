import { type BinaryPrimitive, comparison } from "./elementwise.js";

export const ne: BinaryPrimitive = comparison("ne", "a ≠ b", (a, b) => a !== b, {
  float: (l, a, b) => l.ne(a, b),
  integer: (l, a, b) => l.ine(a, b),
});
