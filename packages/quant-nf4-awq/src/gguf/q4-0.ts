import { integerLevels } from "../rounding.js";
import { blockFormat, f16At, putF16, type GgufFormat } from "./block-format.js";
import { largestMagnitude } from "./extremes.js";
import { nibble32 } from "./nibbles.js";

const { fround } = Math;

/** d · (code - 8): the value of largest magnitude has code 0. @see ggml-quants.c quantize_row_q4_0_ref */
export const Q4_0: GgufFormat = /* @__PURE__ */ blockFormat({
  name: "q4_0",
  id: 2,
  elements: 32,
  bytes: 18,
  bits: 4,
  levels: integerLevels(4, 8),
  code: (byte, j) => nibble32(byte, j, 2),
  value: { group: 32, scale: (byte) => f16At(byte, 0), zero: 8 },
  encodeBlock(x, from, block, to) {
    const d = fround(largestMagnitude(x, from, 32) / -8);
    const inverse = d === 0 ? 0 : fround(1 / d);
    putF16(block, to, d, "q4_0");
    for (let j = 0; j < 16; j++) {
      const low = fround(fround(x[from + j]! * inverse) + 8.5) | 0;
      const high = fround(fround(x[from + j + 16]! * inverse) + 8.5) | 0;
      block[to + 2 + j] = (low > 15 ? 15 : low) | ((high > 15 ? 15 : high) << 4);
    }
  },
});
