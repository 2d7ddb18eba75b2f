import { roundHalfToEven } from "../rounding.js";
import { largestMagnitude } from "./extremes.js";

const { fround } = Math;
/** Numbers that are no larger are a block of zeros. */
export const NOTHING: number = fround(1e-15);

/** The codes of sixteen numbers by the inverse of their scale, -most … most - 1, plus `most`; zeros where there is none. @param at where they are in `x` and `codes` */
export function codesOf(inverse: number, x: Float32Array, at: number, most: number, codes: Uint8Array): void {
  for (let i = at; i < at + 16; i++) {
    const code = roundHalfToEven(fround(inverse * x[i]!));
    codes[i] = inverse === 0 ? 0 : most + (code < -most ? -most : code >= most ? most - 1 : code);
  }
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
