import { type BinaryPrimitive, comparison } from "./elementwise.js";

export const ne: BinaryPrimitive = comparison("ne", "a ≠ b", (a, b) => a !== b);
