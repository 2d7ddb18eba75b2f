import { bytesPerElement } from "../dtype.js";
import { sizeOf } from "../shape.js";
import type { Operand } from "./plan.js";

/** Bytes that an operand's elements take. */
export function operandBytes(operand: Operand): number {
  return sizeOf(operand.shape) * bytesPerElement(operand.dtype);
}
