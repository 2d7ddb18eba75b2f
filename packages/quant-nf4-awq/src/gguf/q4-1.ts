import { integerLevels } from "../rounding.js";
import { blockFormat, f16At, putF16, type GgufFormat } from "./block-format.js";
import { largest, smallest } from "./extremes.js";
import { nibble32 } from "./nibbles.js";

const { fround } = Math;

/** d · code + m, m the smallest value. @see ggml-quants.c quantize_row_q4_1_ref */
export const Q4_1: GgufFormat = /* @__PURE__ */ blockFormat({
  name: "q4_1",
  id: 3,
  elements: 32,
  bytes: 20,
  bits: 4,
  levels: integerLevels(4),
  code: (byte, j) => nibble32(byte, j, 4),
  value: { group: 32, scale: (byte) => f16At(byte, 0), minimum: (byte) => f16At(byte, 2) },
  encodeBlock(x, from, block, to) {
    const min = smallest(x, from, 32);
    const d = fround(fround(largest(x, from, 32) - min) / 15);
    const inverse = d === 0 ? 0 : fround(1 / d);
    putF16(block, to, d, "q4_1");
    putF16(block, to + 2, min, "q4_1");
    for (let j = 0; j < 16; j++) {
      const low = Math.min(15, fround(fround(fround(x[from + j]! - min) * inverse) + 0.5) | 0);
      const high = Math.min(15, fround(fround(fround(x[from + j + 16]! - min) * inverse) + 0.5) | 0);
      block[to + 4 + j] = low | (high << 4);
    }
  },
});
