import { add, bitAnd, bitOr, less, mul, shiftLeft, shiftRight, sub, where } from "@weft/tensor-core";
import { float } from "../graph.js";
import { integerLevels, roundHalfToEven } from "../rounding.js";
import { blockFormat, f16At, putF16, type GgufFormat } from "./block-format.js";
import { refineSymmetric } from "./symmetric-search.js";
import { putTwoBits, twoBits } from "./two-bits.js";

const { fround } = Math;
const [QS, SCALES, D] = [32, 96, 108];
const codes = new Uint8Array(256);
const scales = new Float32Array(16);

/** Three bits, an f16 scale of 256 weights, six bits of it for every 16. @see ggml-quants.c quantize_row_q3_K_ref */
export const Q3_K: GgufFormat = /* @__PURE__ */ blockFormat({
  name: "q3_k",
  id: 11,
  elements: 256,
  bytes: 110,
  bits: 3,
  levels: integerLevels(3, 4),
  code: (byte, j) => bitOr(twoBits(byte, j, QS), shiftLeft(bitAnd(shiftRight(byte(bitAnd(j, 31)), shiftRight(j, 5)), 1), 2)),
  value: {
    group: 16,
    scale(byte, j) {
      const group = shiftRight(j, 4);
      const pair = byte(add(bitAnd(group, 7), SCALES));
      const low = where(less(group, 8), bitAnd(pair, 15), shiftRight(pair, 4));
      const high = bitAnd(shiftRight(byte(add(bitAnd(group, 3), SCALES + 8)), shiftLeft(shiftRight(group, 2), 1)), 3);
      return mul(f16At(byte, D), float(sub(bitOr(low, shiftLeft(high, 4)), 32)));
    },
    zero: 4,
  },
  encodeBlock(x, from, block, to) {
    let most = 0;
    for (let g = 0; g < 16; g++) {
      scales[g] = refineSymmetric(x, from + 16 * g, codes, 16 * g);
      if (Math.abs(scales[g]!) > Math.abs(most)) most = scales[g]!;
    }
    const inverse = most === 0 ? 0 : fround(-32 / most);
    const d = putF16(block, to + D, most === 0 ? 0 : fround(1 / inverse), "q3_k");
    for (let g = 0; g < 16; g++) {
      const scale = most === 0 ? 0 : Math.max(-32, Math.min(31, roundHalfToEven(fround(inverse * scales[g]!))));
      const bits = most === 0 ? 0 : scale + 32;
      block[to + SCALES + (g & 7)]! |= g < 8 ? bits & 15 : (bits & 15) << 4;
      block[to + SCALES + 8 + (g & 3)]! |= (bits >> 4) << (2 * (g >> 2));
      const step = fround(d * scale);
      if (step === 0) continue; // the codes of the search stay
      for (let i = 16 * g; i < 16 * (g + 1); i++) codes[i] = 4 + Math.max(-4, Math.min(3, roundHalfToEven(fround(x[from + i]! / step))));
    }
    for (let j = 0; j < 256; j++) block[to + (j & 31)]! |= (codes[j]! >> 2) << (j >> 5);
    putTwoBits(codes, block, to + QS);
  },
});
