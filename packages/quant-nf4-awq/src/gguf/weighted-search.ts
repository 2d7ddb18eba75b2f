import type { AffineSearch } from "@weft/kernels-wasm/encode";
import { roundHalfToEven } from "../rounding.js";
import { NOTHING } from "./symmetric-search.js";

/* ggml's searches with a weight for every number, as an importance matrix gives them: in f32, sums in the order of the numbers. */

const { fround } = Math;

/** What each input of a row counts: llama.cpp's importance matrix, the mean of x² over tokens. */
export interface Importance {
  readonly weights: Float32Array;
  /** Where the block that is encoded begins in its row. */
  column: number;
}

/**
 * The weights of `n` numbers of a block from `from` on: their importance times √(σ² + x²), into the same places.
 * @returns their sum
 */
export function weigh(
  x: Float32Array,
  from: number,
  n: number,
  spread: number,
  { weights, column }: Importance,
  into: Float32Array,
): number {
  let sum = 0;
  for (let i = from; i < from + n; i++) {
    const v = x[i]!;
    into[i] = weights[column + i]! * fround(Math.sqrt(fround(spread + fround(v * v))));
    sum = fround(sum + into[i]!);
  }
  return sum;
}

/** Σ x² / 256 of a block, `times` over. */
export function variance(x: Float32Array, times: number): number {
  let sum = 0;
  for (let i = 0; i < 256; i++) sum = fround(sum + fround(x[i]! * x[i]!));
  return fround((times * sum) / 256);
}

/** Scales that are tried with an importance. @see ggml-quants.c make_qkx3_quants */
export const WEIGHTED_GRID: Omit<AffineSearch, "size" | "most"> = { first: -0.9, step: 0.05, tries: 36, absolute: false };

/**
 * The scale of numbers that are not negative, x ≈ scale · code, code 0 … most: the best of nine, then each code moved to where the error is smallest, up to five times over.
 * @param codes gets the codes
 * @see ggml-quants.c make_qp_quants
 */
export function searchWeightedPositive(x: Float32Array, n: number, most: number, weights: Float32Array, codes: Uint8Array): number {
  let max = 0;
  for (let i = 0; i < n; i++) max = Math.max(max, x[i]!);
  codes.fill(0, 0, n);
  if (max < NOTHING) return 0;
  const codeOf = (v: number): number => Math.min(most, roundHalfToEven(v));
  let chosen = fround(most / max);
  let best = Infinity;
  for (let k = -5; k <= 4; k++) {
    if (k === 0) continue;
    const first = k === -5;
    const inverse = first ? chosen : fround(fround(fround(fround(0.1) * k) + most) / max);
    const scale = fround(1 / inverse);
    let error = 0;
    for (let i = 0; i < n; i++) {
      const rounded = roundHalfToEven(fround(inverse * x[i]!));
      const difference = fround(x[i]! - fround(scale * (first ? rounded : Math.min(most, rounded))));
      error = fround(error + fround(fround(weights[i]! * difference) * difference));
    }
    if (!(error < best)) continue;
    best = error;
    chosen = inverse;
  }
  let [sumLX, sumL2] = [0, 0];
  for (let i = 0; i < n; i++) {
    const code = codeOf(fround(chosen * x[i]!));
    codes[i] = code;
    sumLX = fround(sumLX + fround(fround(weights[i]! * x[i]!) * code));
    sumL2 = fround(sumL2 + fround(fround(weights[i]! * code) * code));
  }
  for (let round = 0; round < 5; round++) {
    let changed = false;
    for (let i = 0; i < n; i++) {
      const [v, w, code] = [x[i]!, weights[i]!, codes[i]!];
      let lx = fround(sumLX - fround(fround(w * v) * code));
      let l2 = fround(sumL2 - fround(fround(w * code) * code));
      if (!(lx > 0 && l2 > 0)) continue;
      const next = codeOf(fround(fround(v * l2) / lx));
      if (next === code) continue;
      lx = fround(lx + fround(fround(w * v) * next));
      l2 = fround(l2 + fround(fround(w * next) * next));
      if (!(fround(fround(lx * lx) * sumL2) > fround(fround(sumLX * sumLX) * l2))) continue;
      codes[i] = next;
      [sumLX, sumL2, changed] = [lx, l2, true];
    }
    if (!changed) break;
  }
  return sumL2 > 0 ? fround(sumLX / sumL2) : 0;
}
