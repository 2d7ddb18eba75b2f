import { add, bitAnd, bitOr, mul, shiftLeft, shiftRight, sub, where, less } from "@weft/tensor-core";
import { float } from "../graph.js";
import { blockFormat, f16At, putF16, type GgufFormat } from "./block-format.js";
import { IQ4_LEVELS, putCodes, searchIq4, sixBits } from "./iq4.js";

const { fround } = Math;
const scales = new Float32Array(8);

/** (d · scale) · level of the code, an f16 d of 256 weights, six bits of scale for every 32. @see ggml-quants.c quantize_iq4_xs */
export const IQ4_XS: GgufFormat = /* @__PURE__ */ blockFormat({
  name: "iq4_xs",
  id: 23,
  elements: 256,
  bytes: 136,
  bits: 4,
  levels: IQ4_LEVELS,
  table: true,
  code(byte, j) {
    const pair = byte(add(add(shiftLeft(shiftRight(j, 5), 4), bitAnd(j, 15)), 8));
    return where(less(bitAnd(j, 31), 16), bitAnd(pair, 15), shiftRight(pair, 4));
  },
  value(byte, j, level) {
    const group = shiftRight(j, 5);
    const low = bitAnd(shiftRight(byte(add(shiftRight(group, 1), 4)), shiftLeft(bitAnd(group, 1), 2)), 15);
    const high = bitAnd(shiftRight(byte(add(shiftRight(group, 2), 2)), shiftLeft(bitAnd(group, 3), 1)), 3);
    return mul(mul(f16At(byte, 0), float(sub(bitOr(low, shiftLeft(high, 4)), 32))), level);
  },
  encodeBlock(x, from, block, to) {
    let most = 0;
    for (let g = 0; g < 8; g++) {
      scales[g] = searchIq4(x, from + 32 * g);
      if (Math.abs(scales[g]!) > Math.abs(most)) most = scales[g]!;
    }
    const d = fround(-most / 32);
    putF16(block, to, d, "iq4_xs");
    const inverse = d === 0 ? 0 : fround(1 / d);
    for (let g = 0; g < 8; g++) {
      const scale = sixBits(inverse, scales[g]!);
      const step = fround(d * scale);
      putCodes(x, from + 32 * g, step === 0 ? 0 : fround(1 / step), block, to + 8 + 16 * g);
      block[to + 4 + (g >> 1)]! |= ((scale + 32) & 15) << (4 * (g & 1));
      block[to + 2 + (g >> 2)]! |= ((scale + 32) >> 4) << (2 * (g & 3));
    }
  },
});
