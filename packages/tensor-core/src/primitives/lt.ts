import { type BinaryPrimitive, comparison } from "./elementwise.js";

export const lt: BinaryPrimitive = comparison("lt", "a < b", (a, b) => a < b);
