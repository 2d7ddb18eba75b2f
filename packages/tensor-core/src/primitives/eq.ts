import { type BinaryPrimitive, comparison } from "./elementwise.js";

export const eq: BinaryPrimitive = comparison("eq", "a = b", (a, b) => a === b);
