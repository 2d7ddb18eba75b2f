import { type BinaryPrimitive, comparison } from "./elementwise.js";

export const or: BinaryPrimitive = comparison("or", "a ≠ 0 or b ≠ 0", (a, b) => a !== 0 || b !== 0);
