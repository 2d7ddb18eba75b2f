import { roundHalfToEven } from "../rounding.js";
import { largestMagnitude } from "./extremes.js";

const { fround } = Math;
/** Numbers that are no larger are a block of zeros. */
export const NOTHING: number = fround(1e-15);

/**
 * The scale of 16 weights for w ≈ scale · code, code -32 … 31, weighted by w²: of nineteen scales about the one that puts the largest magnitude at -32 the one
 * with the smallest error.
 * @param result gets the inverse scale that the codes follow from; 0 for a block of zeros
 * @see ggml-quants.c make_qx_quants
 */
export function searchSymmetric(x: Float32Array, from: number, result: { inverse: number }): number {
  const extreme = largestMagnitude(x, from, 16);
  result.inverse = 0;
  if (Math.abs(extreme) < NOTHING) return 0;
  let [scale, best] = [0, -1];
  for (let k = 0; k < 19; k++) {
    // The scale without a step comes first: of equal ones the first is kept.
    const step = k === 0 ? 0 : k <= 9 ? k - 10 : k - 9;
    const inverse = fround(-fround(32 + fround(fround(0.1) * step)) / extreme);
    let [sumLX, sumL2] = [0, 0];
    for (let i = from; i < from + 16; i++) {
      const v = x[i]!;
      const rounded = roundHalfToEven(fround(inverse * v));
      const code = rounded < -32 ? -32 : rounded > 31 ? 31 : rounded;
      const w = fround(v * v);
      sumLX = fround(sumLX + fround(fround(w * v) * code));
      sumL2 = fround(sumL2 + fround(fround(w * code) * code));
    }
    if (k > 0 && !(sumL2 > 0 && fround(sumLX * sumLX) > fround(best * sumL2))) continue;
    scale = sumL2 === 0 ? 0 : fround(sumLX / sumL2);
    best = fround(scale * sumLX);
    result.inverse = inverse;
  }
  return scale;
}

const refined = new Int8Array(16);

/**
 * The scale of 16 weights for w ≈ scale · code, code -4 … 3, weighted by w²: codes of the scale that puts the largest magnitude at -4, then each moved to where the
 * error is smallest, up to five times over.
 * @param codes gets the codes, plus 4
 * @see ggml-quants.c make_q3_quants
 */
export function refineSymmetric(x: Float32Array, from: number, codes: Uint8Array, at: number): number {
  const extreme = largestMagnitude(x, from, 16);
  if (Math.abs(extreme) < NOTHING) {
    codes.fill(0, at, at + 16);
    return 0;
  }
  const nearest = (v: number): number => Math.max(-4, Math.min(3, roundHalfToEven(fround(v))));
  const inverse = fround(-4 / extreme);
  let [sumLX, sumL2] = [0, 0];
  for (let i = 0; i < 16; i++) {
    const v = x[from + i]!;
    const code = nearest(inverse * v);
    refined[i] = code;
    const w = fround(v * v);
    sumLX = fround(sumLX + fround(fround(w * v) * code));
    sumL2 = fround(sumL2 + fround(fround(w * code) * code));
  }
  for (let round = 0; round < 5; round++) {
    let changed = false;
    for (let i = 0; i < 16; i++) {
      const [v, code] = [x[from + i]!, refined[i]!];
      const w = fround(v * v);
      let lx = fround(sumLX - fround(fround(w * v) * code));
      if (lx <= 0) continue;
      let l2 = fround(sumL2 - fround(fround(w * code) * code));
      const next = nearest(fround(v * l2) / lx);
      if (next === code) continue;
      lx = fround(lx + fround(fround(w * v) * next));
      l2 = fround(l2 + fround(fround(w * next) * next));
      if (l2 <= 0 || fround(fround(lx * lx) * sumL2) <= fround(fround(sumLX * sumLX) * l2)) continue;
      refined[i] = next;
      [sumLX, sumL2, changed] = [lx, l2, true];
    }
    if (!changed) break;
  }
  for (let i = 0; i < 16; i++) codes[at + i] = refined[i]! + 4;
  return sumL2 > 0 ? fround(sumLX / sumL2) : 0;
}
