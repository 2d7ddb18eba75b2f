import { type AffineSearch, type BlockSearch, blockSearch } from "@weft/kernels-wasm/encode";
import { add, bitAnd, bitOr, less, mul, neg, shiftLeft, shiftRight, type Tensor, where } from "@weft/tensor-core";
import { float } from "../graph.js";
import { roundHalfToEven } from "../rounding.js";
import { type BlockAffine, type ByteOf, f16At, putF16 } from "./block-format.js";
import { type Importance, searchWeightedPositive, variance, WEIGHTED_GRID, weigh } from "./weighted-search.js";

/* What Q4_K and Q5_K share: (d · scale) · code - (dmin · min), d and dmin for 256 weights, scale and min in six bits for each 32 of them. */

const { fround } = Math;
/** Where the twelve bytes of scales and minima begin. */
const SCALES = 4;

/** The three bytes that scale and minimum of element j of 256 are in, and whether they are those of the first four groups. */
function bytesOfGroup(
  byte: ByteOf,
  j: Tensor,
): { readonly low: Tensor; readonly first: Tensor; readonly second: Tensor; readonly third: Tensor } {
  const group = shiftRight(j, 5);
  const low = less(group, 4);
  return { low, first: byte(where(low, 4, group)), second: byte(add(group, SCALES)), third: byte(add(group, SCALES + 4)) };
}

export const AFFINE_K: BlockAffine = {
  group: 32,
  scale(byte, j) {
    const { low, first, second, third } = bytesOfGroup(byte, j);
    const scale = where(low, bitAnd(second, 63), bitOr(bitAnd(third, 15), shiftLeft(shiftRight(first, 6), 4)));
    return mul(f16At(byte, 0), float(scale));
  },
  minimum(byte, j) {
    const { low, second, third } = bytesOfGroup(byte, j);
    const min = where(low, bitAnd(third, 63), bitOr(shiftRight(third, 4), shiftLeft(shiftRight(second, 6), 4)));
    return neg(mul(f16At(byte, 2), float(min)));
  },
};

const sums = new Float32Array(8);
const scaleCodes = new Uint8Array(8);
const minCodes = new Uint8Array(8);

/** Codes of the scales and minima of eight sub-blocks. @param found has the numbers @returns what the codes are steps of */
type Scales = (found: BlockSearch, search: AffineSearch, importance?: Importance) => { readonly d: number; readonly dmin: number };

/** @see ggml-quants.c quantize_row_q4_K_ref */
const plainScales: Scales = (found, search) => {
  const { x, weights, scales, minima } = found;
  for (let start = 0; start < 256; start += 32) {
    let squares = 0;
    for (let i = start; i < start + 32; i++) squares = fround(squares + fround(x[i]! * x[i]!));
    const mean = fround(Math.sqrt(squares / 32));
    for (let i = start; i < start + 32; i++) weights[i] = mean + Math.abs(x[i]!);
  }
  found.affine(search);
  let [maxScale, maxMin] = [0, 0];
  for (let g = 0; g < 8; g++) {
    maxScale = Math.max(maxScale, scales[g]!);
    maxMin = Math.max(maxMin, minima[g]!);
  }
  const inverseScale = maxScale > 0 ? fround(63 / maxScale) : 0;
  const inverseMin = maxMin > 0 ? fround(63 / maxMin) : 0;
  for (let g = 0; g < 8; g++) {
    scaleCodes[g] = Math.min(63, roundHalfToEven(fround(inverseScale * scales[g]!)));
    minCodes[g] = Math.min(63, roundHalfToEven(fround(inverseMin * minima[g]!)));
  }
  return { d: fround(maxScale / 63), dmin: fround(maxMin / 63) };
};

/** @see ggml-quants.c quantize_row_q4_K_impl */
const weightedScales: Scales = (found, search, importance) => {
  const { x, weights, scales, minima } = found;
  const spread = variance(x, 2);
  for (let g = 0; g < 8; g++) sums[g] = weigh(x, 32 * g, 32, spread, importance!, weights);
  found.affine({ ...search, ...WEIGHTED_GRID });
  return { d: searchWeightedPositive(scales, 8, 63, sums, scaleCodes), dmin: searchWeightedPositive(minima, 8, 63, sums, minCodes) };
};

/** Finds scales and codes of 256 weights and writes all but the codes. @returns those; they stay until the next block */
export function encodeAffineK(
  x: Float32Array,
  from: number,
  block: Uint8Array,
  to: number,
  search: AffineSearch,
  name: string,
  importance?: Importance,
): Uint8Array {
  const found = blockSearch();
  const { codes } = found;
  found.load(x, from);
  const steps = (importance ? weightedScales : plainScales)(found, search, importance);
  const d = putF16(block, to, steps.d, name);
  const dmin = putF16(block, to + 2, steps.dmin, name);
  for (let g = 0; g < 8; g++) {
    const scale = scaleCodes[g]!;
    const min = minCodes[g]!;
    const at = to + SCALES + g;
    if (g < 4) {
      block[at] = scale;
      block[at + 4] = min;
    } else {
      block[at + 4] = (scale & 15) | ((min & 15) << 4);
      block[at - 4]! |= (scale >> 4) << 6;
      block[at]! |= (min >> 4) << 6;
    }
    const step = fround(d * scale);
    if (step === 0) continue; // the codes of the search stay
    const offset = fround(dmin * min);
    for (let i = 32 * g; i < 32 * (g + 1); i++) {
      const code = roundHalfToEven(fround(fround(x[from + i]! + offset) / step));
      codes[i] = code < 0 ? 0 : code > search.most ? search.most : code;
    }
  }
  return codes;
}
