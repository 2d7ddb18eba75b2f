import { bitAnd, mul, neg, shiftRight } from "@weft/tensor-core";
import { float } from "../graph.js";
import { integerLevels, roundHalfToEven } from "../rounding.js";
import { searchAffine } from "./affine-search.js";
import { blockFormat, f16At, putF16, type GgufFormat } from "./block-format.js";
import { putTwoBits, twoBits } from "./two-bits.js";
import { type Importance, searchWeightedAffine, searchWeightedPositive, variance, weigh } from "./weighted-search.js";

const { fround } = Math;
const [D, DMIN] = [80, 82];
const SEARCH = { most: 3, first: -0.5, tries: 15, absolute: true };
const codes = new Uint8Array(256);
const weights = new Float32Array(16);
const scales = new Float32Array(16);
const minima = new Float32Array(16);
const result = { min: 0 };

const sums = new Float32Array(16);
const scaleCodes = new Uint8Array(16);
const minCodes = new Uint8Array(16);

/** Scales and minima of sixteen sub-blocks, and their codes. @returns what the codes are steps of. @see ggml-quants.c quantize_row_q2_K_ref */
function plainScales(x: Float32Array, from: number): { readonly d: number; readonly dmin: number } {
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
  for (let g = 0; g < 16; g++) {
    scaleCodes[g] = roundHalfToEven(fround(inverseScale * scales[g]!));
    minCodes[g] = roundHalfToEven(fround(inverseMin * minima[g]!));
  }
  return { d: fround(maxScale / 15), dmin: fround(maxMin / 15) };
}

/** The same by an importance of inputs. @see ggml-quants.c quantize_row_q2_K_impl */
function weightedScales(x: Float32Array, from: number, importance: Importance): { readonly d: number; readonly dmin: number } {
  const spread = variance(x, from, 1);
  for (let g = 0; g < 16; g++) {
    sums[g] = weigh(x, from, 16 * g, 16, spread, importance, weights);
    scales[g] = searchWeightedAffine(x, from + 16 * g, 16, SEARCH.most, weights, codes, 16 * g, result);
    minima[g] = result.min;
  }
  return {
    d: searchWeightedPositive(scales, 16, 15, sums, scaleCodes),
    dmin: searchWeightedPositive(minima, 16, 15, sums, minCodes),
  };
}

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
  weighted: true,
  encodeBlock(x, from, block, to, importance) {
    const found = importance ? weightedScales(x, from, importance) : plainScales(x, from);
    const d = putF16(block, to + D, found.d, "q2_k");
    const dmin = putF16(block, to + DMIN, found.dmin, "q2_k");
    for (let g = 0; g < 16; g++) {
      const scale = scaleCodes[g]!;
      const min = minCodes[g]!;
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
