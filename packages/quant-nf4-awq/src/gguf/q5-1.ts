import { integerLevels } from "../rounding.js";
import { blockFormat, f16At, putF16, type GgufFormat } from "./block-format.js";
import { largest, smallest } from "./extremes.js";
import { fiveBits32, putFiveBits32 } from "./five-bits.js";

const { fround } = Math;

/** d · code + m, m the smallest value. @see ggml-quants.c quantize_row_q5_1_ref */
export const Q5_1: GgufFormat = /* @__PURE__ */ blockFormat({
  name: "q5_1",
  id: 7,
  elements: 32,
  bytes: 24,
  bits: 5,
  levels: integerLevels(5),
  code: (byte, j) => fiveBits32(byte, j, 4),
  value: { group: 32, scale: (byte) => f16At(byte, 0), minimum: (byte) => f16At(byte, 2) },
  encodeBlock(x, from, block, to) {
    const min = smallest(x, from, 32);
    const d = fround(fround(largest(x, from, 32) - min) / 31);
    const inverse = d === 0 ? 0 : fround(1 / d);
    putF16(block, to, d, "q5_1");
    putF16(block, to + 2, min, "q5_1");
    putFiveBits32((j) => Math.min(31, fround(fround(fround(x[from + j]! - min) * inverse) + 0.5) | 0), block, to + 4);
  },
});
