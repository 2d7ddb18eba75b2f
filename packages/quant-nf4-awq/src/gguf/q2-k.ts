import { bitAnd, mul, neg, shiftRight } from "@weft/tensor-core";
import { float } from "../graph.js";
import { integerLevels, roundHalfToEven } from "../rounding.js";
import { searchAffine } from "./affine-search.js";
import { blockFormat, f16At, putF16, type GgufFormat } from "./block-format.js";
import { putTwoBits, twoBits } from "./two-bits.js";

const { fround } = Math;
const [D, DMIN] = [80, 82];
const SEARCH = { most: 3, first: -0.5, tries: 15, absolute: true };
const codes = new Uint8Array(256);
const weights = new Float32Array(16);
const scales = new Float32Array(16);
const minima = new Float32Array(16);
const result = { min: 0 };

/** Two bits, f16 scale and minimum of 256 weights, four bits of each for every 16. @see ggml-quants.c quantize_row_q2_K_ref */
export const Q2_K: GgufFormat = /* @__PURE__ */ blockFormat({
  name: "q2_k",
  id: 10,
  elements: 256,
  bytes: 84,
  bits: 2,
  levels: integerLevels(2),
  code: (byte, j) => twoBits(byte, j, 16),
  value: {
    group: 16,
    scale: (byte, j) => mul(f16At(byte, D), float(bitAnd(byte(shiftRight(j, 4)), 15))),
    minimum: (byte, j) => neg(mul(f16At(byte, DMIN), float(shiftRight(byte(shiftRight(j, 4)), 4)))),
  },
  encodeBlock(x, from, block, to) {
    let [maxScale, maxMin] = [0, 0];
    for (let g = 0; g < 16; g++) {
      for (let i = 0; i < 16; i++) weights[i] = Math.abs(x[from + 16 * g + i]!);
      scales[g] = searchAffine(x, from + 16 * g, 16, weights, codes, 16 * g, SEARCH, result);
      minima[g] = result.min;
      maxScale = Math.max(maxScale, scales[g]!);
      maxMin = Math.max(maxMin, minima[g]!);
    }
    const inverseScale = maxScale > 0 ? fround(15 / maxScale) : 0;
    const inverseMin = maxMin > 0 ? fround(15 / maxMin) : 0;
    const d = putF16(block, to + D, fround(maxScale / 15), "q2_k");
    const dmin = putF16(block, to + DMIN, fround(maxMin / 15), "q2_k");
    for (let g = 0; g < 16; g++) {
      const scale = roundHalfToEven(fround(inverseScale * scales[g]!));
      const min = roundHalfToEven(fround(inverseMin * minima[g]!));
      block[to + g] = scale | (min << 4);
      const step = fround(d * scale);
      if (step === 0) continue; // the codes of the search stay
      const offset = fround(dmin * min);
      for (let i = 16 * g; i < 16 * (g + 1); i++)
        codes[i] = Math.max(0, Math.min(3, roundHalfToEven(fround(fround(x[from + i]! + offset) / step))));
    }
    putTwoBits(codes, block, to + 16);
  },
});
