import { type AffineSearch, type BlockSearch, blockSearch } from "@weft/kernels-wasm/encode";
import { bitAnd, mul, neg, shiftRight } from "@weft/tensor-core";
import { float } from "../graph.js";
import { integerLevels, roundHalfToEven } from "../rounding.js";
import { blockFormat, f16At, putF16, type GgufFormat } from "./block-format.js";
import { putTwoBits, twoBits } from "./two-bits.js";
import { type Importance, searchWeightedPositive, variance, WEIGHTED_GRID, weigh } from "./weighted-search.js";

const { fround } = Math;
const [D, DMIN] = [80, 82];
const SEARCH: AffineSearch = { size: 16, most: 3, first: -0.5, step: 0.1, tries: 15, absolute: true };
const sums = new Float32Array(16);
const scaleCodes = new Uint8Array(16);
const minCodes = new Uint8Array(16);

/** Codes of the scales and minima of sixteen sub-blocks. @returns what the codes are steps of. @see ggml-quants.c quantize_row_q2_K_ref */
function plainScales(found: BlockSearch): { readonly d: number; readonly dmin: number } {
  const { x, weights, scales, minima } = found;
  for (let i = 0; i < 256; i++) weights[i] = Math.abs(x[i]!);
  found.affine(SEARCH);
  let [maxScale, maxMin] = [0, 0];
  for (let g = 0; g < 16; g++) {
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
function weightedScales(found: BlockSearch, importance: Importance): { readonly d: number; readonly dmin: number } {
  const { x, weights, scales, minima } = found;
  const spread = variance(x, 1);
  for (let g = 0; g < 16; g++) sums[g] = weigh(x, 16 * g, 16, spread, importance, weights);
  found.affine({ ...SEARCH, ...WEIGHTED_GRID });
  return { d: searchWeightedPositive(scales, 16, 15, sums, scaleCodes), dmin: searchWeightedPositive(minima, 16, 15, sums, minCodes) };
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
    const found = blockSearch();
    const { codes } = found;
    found.load(x, from);
    const steps = importance ? weightedScales(found, importance) : plainScales(found);
    const d = putF16(block, to + D, steps.d, "q2_k");
    const dmin = putF16(block, to + DMIN, steps.dmin, "q2_k");
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
