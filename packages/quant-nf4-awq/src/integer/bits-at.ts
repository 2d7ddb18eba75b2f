import { add, bitAnd, bitOr, equal, less, mul, shiftLeft, shiftRight, type Tensor, where } from "@weft/tensor-core";

/** Widths of integers in words of 32 bits. */
export type IntegerBits = 2 | 3 | 4 | 8;

/**
 * Number `k` of a row of integers that lie in words without gaps, from the lowest bit on. @param word word n of the row
 */
export function bitsAt(word: (n: Tensor) => Tensor, k: Tensor, bits: IntegerBits): Tensor {
  const mask = 2 ** bits - 1;
  if (bits !== 3) {
    const perWord = 32 / bits;
    return bitAnd(shiftRight(word(shiftRight(k, Math.log2(perWord))), mul(bitAnd(k, perWord - 1), bits)), mask);
  }
  // 32 integers in three words; two of them lie across a border.
  const bit = mul(bitAnd(k, 31), 3);
  const n = add(mul(shiftRight(k, 5), 3), shiftRight(bit, 5));
  const at = bitAnd(bit, 31);
  const here = shiftRight(word(n), at);
  const next = word(where(less(at, 30), n, add(n, 1)));
  const first = bitOr(bitAnd(here, 3), shiftLeft(bitAnd(next, 1), 2));
  const second = bitOr(bitAnd(here, 1), shiftLeft(bitAnd(next, 3), 1));
  return where(equal(at, 30), first, where(equal(at, 31), second, bitAnd(here, mask)));
}
