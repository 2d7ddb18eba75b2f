import { add, bitAnd, bitOr, shiftLeft, shiftRight, type Tensor } from "@weft/tensor-core";
import type { ByteOf } from "./block-format.js";
import { nibble32 } from "./nibbles.js";

/** The five bits of element j of 32: its nibble from byte `at + 4` on, its fifth bit in the four bytes from `at` on. */
export function fiveBits32(byte: ByteOf, j: Tensor, at: number): Tensor {
  const fifth = bitAnd(shiftRight(byte(add(shiftRight(j, 3), at)), bitAnd(j, 7)), 1);
  return bitOr(nibble32(byte, j, at + 4), shiftLeft(fifth, 4));
}

/** Writes 32 codes as `fiveBits32` reads them. */
export function putFiveBits32(code: (j: number) => number, block: Uint8Array, at: number): void {
  for (let j = 0; j < 16; j++) {
    const [low, high] = [code(j), code(j + 16)];
    block[at + 4 + j] = (low & 15) | ((high & 15) << 4);
    block[at + (j >> 3)]! |= (low >> 4) << (j & 7);
    block[at + 2 + (j >> 3)]! |= (high >> 4) << (j & 7);
  }
}
