import { add, bitAnd, bitOr, less, shiftLeft, shiftRight, type Tensor, where } from "@weft/tensor-core";
import { integerLevels } from "../rounding.js";
import { blockFormat, type BlockType, type ByteOf, f16At, putF16, type GgufFormat } from "./block-format.js";
import { largest, largestMagnitude, smallest } from "./extremes.js";

const { fround } = Math;

/** How the codes of 32 weights lie in a block. */
export interface CodesOf32 {
  readonly bits: number;
  readonly bytes: number;
  /** The code of element j, in bytes from `at` on. */
  read(byte: ByteOf, j: Tensor, at: number): Tensor;
  /** Writes 32 codes as `read` reads them. */
  put(code: (j: number) => number, block: Uint8Array, at: number): void;
}

/** Lower halves of 16 bytes, then their upper halves. */
export const FOUR_BITS: CodesOf32 = {
  bits: 4,
  bytes: 16,
  read(byte, j, at) {
    const pair = byte(add(bitAnd(j, 15), at));
    return where(less(j, 16), bitAnd(pair, 15), shiftRight(pair, 4));
  },
  put(code, block, at) {
    for (let j = 0; j < 16; j++) block[at + j] = code(j) | (code(j + 16) << 4);
  },
};

/** Fifth bits in four bytes, then the others as `FOUR_BITS`. */
export const FIVE_BITS: CodesOf32 = {
  bits: 5,
  bytes: 20,
  read(byte, j, at) {
    const fifth = bitAnd(shiftRight(byte(add(shiftRight(j, 3), at)), bitAnd(j, 7)), 1);
    return bitOr(FOUR_BITS.read(byte, j, at + 4), shiftLeft(fifth, 4));
  },
  put(code, block, at) {
    FOUR_BITS.put((j) => code(j) & 15, block, at + 4);
    for (let j = 0; j < 32; j++) block[at + (j >> 3)]! |= (code(j) >> 4) << (j & 7);
  },
};

type Named = Pick<BlockType, "name" | "id">;

/** d · (code - half): the value of largest magnitude has code 0. @param encodeBlocks what is faster than block by block */
export function centred({ name, id }: Named, { bits, bytes, read, put }: CodesOf32, encodeBlocks?: BlockType["encodeBlocks"]): GgufFormat {
  const half = 2 ** (bits - 1);
  const most = 2 * half - 1;
  return blockFormat({
    name,
    id,
    elements: 32,
    bytes: 2 + bytes,
    bits,
    levels: integerLevels(bits, half),
    code: (byte, j) => read(byte, j, 2),
    value: { group: 32, scale: (byte) => f16At(byte, 0), zero: half },
    ...(encodeBlocks && { encodeBlocks }),
    encodeBlock(x, from, block, to) {
      const d = fround(largestMagnitude(x, from, 32) / -half);
      const inverse = d === 0 ? 0 : fround(1 / d);
      putF16(block, to, d, name);
      put((j) => Math.min(most, fround(fround(x[from + j]! * inverse) + (half + 0.5)) | 0), block, to + 2);
    },
  });
}

/** d · code + m, m the smallest value. */
export function fromSmallest({ name, id }: Named, { bits, bytes, read, put }: CodesOf32): GgufFormat {
  const most = 2 ** bits - 1;
  return blockFormat({
    name,
    id,
    elements: 32,
    bytes: 4 + bytes,
    bits,
    levels: integerLevels(bits),
    code: (byte, j) => read(byte, j, 4),
    value: { group: 32, scale: (byte) => f16At(byte, 0), minimum: (byte) => f16At(byte, 2) },
    encodeBlock(x, from, block, to) {
      const min = smallest(x, from, 32);
      const d = fround(fround(largest(x, from, 32) - min) / most);
      const inverse = d === 0 ? 0 : fround(1 / d);
      putF16(block, to, d, name);
      putF16(block, to + 2, min, name);
      put((j) => Math.min(most, fround(fround(fround(x[from + j]! - min) * inverse) + 0.5) | 0), block, to + 4);
    },
  });
}
