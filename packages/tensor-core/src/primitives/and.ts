import { type BinaryPrimitive, comparison } from "./elementwise.js";

export const and: BinaryPrimitive = comparison("and", "a ≠ 0 and b ≠ 0", (a, b) => a !== 0 && b !== 0);
