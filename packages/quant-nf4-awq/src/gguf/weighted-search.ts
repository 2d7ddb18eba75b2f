import { roundHalfToEven } from "../rounding.js";
import { largestMagnitude } from "./extremes.js";
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
 * The weights of `n` numbers from `from` on: their importance times √(σ² + x²).
 * @param start of the block, `offset` of the numbers in it
 * @returns their sum
 */
export function weigh(
  x: Float32Array,
  start: number,
  offset: number,
  n: number,
  variance: number,
  { weights, column }: Importance,
  into: Float32Array,
): number {
  let sum = 0;
  for (let i = 0; i < n; i++) {
    const v = x[start + offset + i]!;
    into[i] = weights[column + offset + i]! * fround(Math.sqrt(fround(variance + fround(v * v))));
    sum = fround(sum + into[i]!);
  }
  return sum;
}

/** Σ x² / 256 of a block, `times` over. */
export function variance(x: Float32Array, from: number, times: number): number {
  let sum = 0;
  for (let i = from; i < from + 256; i++) sum = fround(sum + fround(x[i]! * x[i]!));
  return fround((times * sum) / 256);
}

const clamp = (code: number, least: number, most: number): number => (code < least ? least : code > most ? most : code);

/**
 * The scale of numbers for x ≈ scale · code, code -most … most - 1: of nineteen scales about the one that puts the largest magnitude at -most the best.
 * @param codes gets the codes, plus `most`
 * @see ggml-quants.c make_qx_quants
 */
export function searchWeighted(
  x: Float32Array,
  from: number,
  n: number,
  most: number,
  weights: Float32Array,
  codes: Uint8Array,
  at: number,
): number {
  const extreme = largestMagnitude(x, from, n);
  codes.fill(0, at, at + n);
  if (Math.abs(extreme) < NOTHING) return 0;
  let [scale, best] = [0, 0];
  for (let k = -10; k <= 9; k++) {
    if (k === 0) continue;
    // The scale without a step comes first.
    const first = k === -10;
    const inverse = first ? fround(-most / extreme) : fround(-fround(most + fround(fround(0.1) * k)) / extreme);
    let [sumLX, sumL2] = [0, 0];
    for (let i = 0; i < n; i++) {
      const v = x[from + i]!;
      const code = clamp(roundHalfToEven(fround(inverse * v)), -most, most - 1);
      const w = weights[i]!;
      sumLX = fround(sumLX + fround(fround(w * v) * code));
      sumL2 = fround(sumL2 + fround(fround(w * code) * code));
    }
    if (!first && !(sumL2 > 0 && fround(sumLX * sumLX) > fround(best * sumL2))) continue;
    scale = sumL2 === 0 ? 0 : fround(sumLX / sumL2);
    best = fround(scale * sumLX);
    for (let i = 0; i < n; i++) codes[at + i] = most + clamp(roundHalfToEven(fround(inverse * x[from + i]!)), -most, most - 1);
  }
  return scale;
}

/** Steps of the grid of `searchWeightedAffine`. */
const STEPS = 36;
const trial = new Uint8Array(32);

/**
 * Scale and minimum of numbers for x ≈ scale · code + minimum, code 0 … most, minimum ≤ 0: for each scale of a grid the codes, then the weighted least squares.
 * @param codes gets the codes
 * @returns scale; `result.min` is the minimum, negated
 * @see ggml-quants.c make_qkx3_quants
 */
export function searchWeightedAffine(
  x: Float32Array,
  from: number,
  n: number,
  most: number,
  weights: Float32Array,
  codes: Uint8Array,
  at: number,
  result: { min: number },
): number {
  let min = x[from]!;
  let max = min;
  let [sumW, sumX] = [0, 0];
  for (let i = 0; i < n; i++) {
    const v = x[from + i]!;
    if (v < min) min = v;
    if (v > max) max = v;
    sumW = fround(sumW + weights[i]!);
    sumX = fround(sumX + fround(weights[i]! * v));
  }
  if (min > 0) min = 0;
  if (max <= min) {
    codes.fill(0, at, at + n);
    result.min = -min;
    return 0;
  }
  const error = (scale: number, minimum: number): number => {
    let sum = 0;
    for (let i = 0; i < n; i++) {
      const difference = fround(fround(fround(scale * trial[i]!) + minimum) - x[from + i]!);
      sum = fround(sum + fround(weights[i]! * fround(difference * difference)));
    }
    return sum;
  };
  const round = (inverse: number): void => {
    for (let i = 0; i < n; i++) {
      const v = fround(inverse * fround(x[from + i]! - min));
      trial[i] = v > 0 ? roundHalfToEven(Math.min(v, most)) : 0;
    }
  };
  const inverse = fround(most / fround(max - min));
  let scale = fround(1 / inverse);
  round(inverse);
  let best = error(scale, min);
  codes.set(trial.subarray(0, n), at);
  for (let k = 0; k <= STEPS; k++) {
    round(fround(fround(fround(fround(-0.9) + fround(fround(0.05) * k)) + most) / fround(max - min)));
    let [sumL, sumL2, sumXL] = [0, 0, 0];
    for (let i = 0; i < n; i++) {
      const code = trial[i]!;
      const wl = fround(weights[i]! * code);
      sumL = fround(sumL + wl);
      sumL2 = fround(sumL2 + fround(wl * code));
      sumXL = fround(sumXL + fround(wl * x[from + i]!));
    }
    const determinant = fround(fround(sumW * sumL2) - fround(sumL * sumL));
    if (!(determinant > 0)) continue;
    let thisScale = fround(fround(fround(sumW * sumXL) - fround(sumX * sumL)) / determinant);
    let thisMin = fround(fround(fround(sumL2 * sumX) - fround(sumL * sumXL)) / determinant);
    if (thisMin > 0) {
      thisMin = 0;
      thisScale = fround(sumXL / sumL2);
    }
    const thisError = error(thisScale, thisMin);
    if (!(thisError < best)) continue;
    codes.set(trial.subarray(0, n), at);
    best = thisError;
    scale = thisScale;
    min = thisMin;
  }
  result.min = -min;
  return scale;
}

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
