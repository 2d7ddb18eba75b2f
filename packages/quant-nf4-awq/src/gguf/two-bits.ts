import { add, bitAnd, shiftLeft, shiftRight, type Tensor } from "@weft/tensor-core";
import type { ByteOf } from "./block-format.js";

/** The two bits of element j of 256: 64 bytes from `at` on, each of which has bits of the elements l, 32 + l, 64 + l, 96 + l of one half. */
export function twoBits(byte: ByteOf, j: Tensor, at: number): Tensor {
  const pair = byte(add(add(shiftLeft(shiftRight(j, 7), 5), bitAnd(j, 31)), at));
  return bitAnd(shiftRight(pair, shiftLeft(bitAnd(shiftRight(j, 5), 3), 1)), 3);
}

/** Writes the lower two bits of 256 codes as `twoBits` reads them. */
export function putTwoBits(codes: Uint8Array, block: Uint8Array, at: number): void {
  for (let half = 0; half < 2; half++)
    for (let l = 0; l < 32; l++) for (let k = 0; k < 4; k++) block[at + 32 * half + l]! |= (codes[128 * half + 32 * k + l]! & 3) << (2 * k);
}
