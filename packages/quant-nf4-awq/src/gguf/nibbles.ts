import { add, bitAnd, less, shiftRight, type Tensor, where } from "@weft/tensor-core";
import type { ByteOf } from "./block-format.js";

/** The four bits of element j of 32: lower halves of 16 bytes from `at` on, then their upper halves. */
export function nibble32(byte: ByteOf, j: Tensor, at: number): Tensor {
  const pair = byte(add(bitAnd(j, 15), at));
  return where(less(j, 16), bitAnd(pair, 15), shiftRight(pair, 4));
}
