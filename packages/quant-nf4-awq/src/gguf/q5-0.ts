import { integerLevels } from "../rounding.js";
import { blockFormat, f16At, putF16, type GgufFormat } from "./block-format.js";
import { largestMagnitude } from "./extremes.js";
import { fiveBits32, putFiveBits32 } from "./five-bits.js";

const { fround } = Math;

/** d · (code - 16): the value of largest magnitude has code 0. @see ggml-quants.c quantize_row_q5_0_ref */
export const Q5_0: GgufFormat = /* @__PURE__ */ blockFormat({
  name: "q5_0",
  id: 6,
  elements: 32,
  bytes: 22,
  bits: 5,
  levels: integerLevels(5, 16),
  code: (byte, j) => fiveBits32(byte, j, 2),
  value: { group: 32, scale: (byte) => f16At(byte, 0), zero: 16 },
  encodeBlock(x, from, block, to) {
    const d = fround(largestMagnitude(x, from, 32) / -16);
    const inverse = d === 0 ? 0 : fround(1 / d);
    putF16(block, to, d, "q5_0");
    putFiveBits32((j) => Math.min(31, fround(fround(x[from + j]! * inverse) + 16.5) | 0), block, to + 2);
  },
});
