import { type BinaryPrimitive, comparison } from "./elementwise.js";

export const le: BinaryPrimitive = comparison("le", "a ≤ b", (a, b) => a <= b);
