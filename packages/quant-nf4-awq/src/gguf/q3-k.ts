import { blockSearch } from "@weft/kernels-wasm/encode";
import { add, bitAnd, bitOr, less, mul, shiftLeft, shiftRight, sub, where } from "@weft/tensor-core";
import { float } from "../graph.js";
import { integerLevels, roundHalfToEven } from "../rounding.js";
import { blockFormat, f16At, putF16, type GgufFormat } from "./block-format.js";
import { codesOf, refineSymmetric } from "./symmetric-search.js";
import { putTwoBits, twoBits } from "./two-bits.js";
import { type Importance, variance, weigh } from "./weighted-search.js";

const { fround } = Math;
const [QS, SCALES, D] = [32, 96, 108];
const codes = new Uint8Array(256);
const scales = new Float32Array(16);

const sums = new Float32Array(16);
/** Scales in steps, plus 32. */
const scaleCodes = new Uint8Array(16);

/** Codes of sixteen sub-blocks and of their scales. @returns what those are steps of. @see ggml-quants.c quantize_row_q3_K_ref */
function plainScales(x: Float32Array, from: number): number {
  let most = 0;
  for (let g = 0; g < 16; g++) {
    scales[g] = refineSymmetric(x, from + 16 * g, codes, 16 * g);
    if (Math.abs(scales[g]!) > Math.abs(most)) most = scales[g]!;
  }
  const inverse = most === 0 ? 0 : fround(-32 / most);
  for (let g = 0; g < 16; g++)
    scaleCodes[g] = most === 0 ? 0 : 32 + Math.max(-32, Math.min(31, roundHalfToEven(fround(inverse * scales[g]!))));
  return most === 0 ? 0 : fround(1 / inverse);
}

/** The same by an importance of inputs. @see ggml-quants.c quantize_row_q3_K_impl */
function weightedScales(values: Float32Array, from: number, importance: Importance): number {
  const found = blockSearch();
  const { x, weights, inverses } = found;
  found.load(values, from);
  const spread = variance(x, 2);
  for (let g = 0; g < 16; g++) sums[g] = weigh(x, 16 * g, 16, spread, importance, weights);
  found.symmetric(16, 4, true);
  for (let g = 0; g < 16; g++) codesOf(inverses[g]!, x, 16 * g, 4, codes);
  scales.set(found.scales);
  // The scales are stored in the same way.
  x.set(scales);
  weights.set(sums);
  found.symmetric(1, 32, true);
  codesOf(inverses[0]!, scales, 0, 32, scaleCodes);
  return found.scales[0]!;
}

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
  weighted: true,
  encodeBlock(x, from, block, to, importance) {
    const d = putF16(block, to + D, importance ? weightedScales(x, from, importance) : plainScales(x, from), "q3_k");
    for (let g = 0; g < 16; g++) {
      const bits = scaleCodes[g]!;
      block[to + SCALES + (g & 7)]! |= g < 8 ? bits & 15 : (bits & 15) << 4;
      block[to + SCALES + 8 + (g & 3)]! |= (bits >> 4) << (2 * (g >> 2));
      const step = fround(d * (bits - 32));
      if (step === 0) continue; // the codes of the search stay
      for (let i = 16 * g; i < 16 * (g + 1); i++) codes[i] = 4 + Math.max(-4, Math.min(3, roundHalfToEven(fround(x[from + i]! / step))));
    }
    for (let j = 0; j < 256; j++) block[to + (j & 31)]! |= (codes[j]! >> 2) << (j >> 5);
    putTwoBits(codes, block, to + QS);
  },
});
