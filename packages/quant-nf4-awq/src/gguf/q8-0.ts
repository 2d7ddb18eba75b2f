import { add } from "@weft/tensor-core";
import { signedByte } from "../graph.js";
import { INT8_LEVELS, roundHalfToEven } from "../rounding.js";
import { blockFormat, f16At, putF16, type GgufFormat } from "./block-format.js";
import { largestMagnitude } from "./extremes.js";

const { fround } = Math;

/** d · code, d a 127th of the largest magnitude; halves are rounded away from zero. @see ggml-quants.c quantize_row_q8_0_ref */
export const Q8_0: GgufFormat = /* @__PURE__ */ blockFormat({
  name: "q8_0",
  id: 8,
  elements: 32,
  bytes: 34,
  bits: 8,
  levels: INT8_LEVELS,
  code: (byte, j) => signedByte(byte(add(j, 2))),
  value: { group: 32, scale: (byte) => f16At(byte, 0), lowest: -128 },
  encodeBlock(x, from, block, to) {
    const d = fround(Math.abs(largestMagnitude(x, from, 32)) / 127);
    const inverse = d === 0 ? 0 : fround(1 / d);
    putF16(block, to, d, "q8_0");
    for (let j = 0; j < 32; j++) {
      const v = fround(x[from + j]! * inverse);
      const even = roundHalfToEven(v);
      // Of two that are equally near the one away from zero.
      block[to + 2 + j] = v - even === 0.5 && v > 0 ? even + 1 : even - v === 0.5 && v < 0 ? even - 1 : even;
    }
  },
});
