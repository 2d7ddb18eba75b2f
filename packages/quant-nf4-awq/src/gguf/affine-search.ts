import { roundHalfToEven } from "../rounding.js";

const { fround } = Math;

/** The grid of scales that a search tries: (first + 0.1·k + most) / (largest - minimum), k = 0 … tries. */
export interface AffineSearch {
  /** The largest code. */
  readonly most: number;
  readonly first: number;
  readonly tries: number;
  /** Compare sums of |error| instead of error². */
  readonly absolute: boolean;
}

const trial = new Uint8Array(32);

/**
 * Finds scale and minimum of a sub-block for w ≈ scale · code + minimum, code 0 … most, minimum ≤ 0: for each scale of the grid the codes, then the
 * weighted least squares for these codes; the smallest weighted error wins, and its minimum is what the next codes are counted from. All in f32, in ggml's order.
 * @param codes gets the codes
 * @returns scale; `result.min` is the minimum, negated
 * @see ggml-quants.c make_qkx2_quants
 */
export function searchAffine(
  x: Float32Array,
  from: number,
  n: number,
  weights: Float32Array,
  codes: Uint8Array,
  at: number,
  { most, first, tries, absolute }: AffineSearch,
  result: { min: number },
): number {
  let [min, max] = [x[from]!, x[from]!];
  let sumW = weights[0]!;
  let sumX = fround(sumW * min);
  for (let i = 1; i < n; i++) {
    const v = x[from + i]!;
    if (v < min) min = v;
    if (v > max) max = v;
    sumW = fround(sumW + weights[i]!);
    sumX = fround(sumX + fround(weights[i]! * v));
  }
  if (min > 0) min = 0;
  if (max === min) {
    codes.fill(0, at, at + n);
    result.min = -min;
    return 0;
  }
  let inverse = fround(most / fround(max - min));
  let scale = fround(1 / inverse);
  for (let i = 0; i < n; i++) {
    const code = roundHalfToEven(fround(inverse * fround(x[from + i]! - min)));
    codes[at + i] = code < 0 ? 0 : code > most ? most : code;
  }
  let best = affineError(x, from, n, weights, codes, at, scale, min, absolute, Infinity);
  for (let k = 0; k <= tries; k++) {
    inverse = fround(fround(fround(first + fround(fround(0.1) * k)) + most) / fround(max - min));
    let [sumL, sumL2, sumXL] = [0, 0, 0];
    for (let i = 0; i < n; i++) {
      const v = x[from + i]!;
      const rounded = roundHalfToEven(fround(inverse * fround(v - min)));
      const code = rounded < 0 ? 0 : rounded > most ? most : rounded;
      trial[i] = code;
      const wl = fround(weights[i]! * code);
      sumL = fround(sumL + wl);
      sumL2 = fround(sumL2 + fround(wl * code));
      sumXL = fround(sumXL + fround(wl * v));
    }
    const determinant = fround(fround(sumW * sumL2) - fround(sumL * sumL));
    if (determinant <= 0) continue;
    let thisScale = fround(fround(fround(sumW * sumXL) - fround(sumX * sumL)) / determinant);
    let thisMin = fround(fround(fround(sumL2 * sumX) - fround(sumL * sumXL)) / determinant);
    if (thisMin > 0) {
      thisMin = 0;
      thisScale = fround(sumXL / sumL2);
    }
    const error = affineError(x, from, n, weights, trial, 0, thisScale, thisMin, absolute, best);
    if (error < best) {
      for (let i = 0; i < n; i++) codes[at + i] = trial[i]!;
      best = error;
      scale = thisScale;
      min = thisMin;
    }
  }
  result.min = -min;
  return scale;
}

/** The weighted error of codes; some number from `enough` on as soon as it is reached, since sums of what is not negative only grow. */
function affineError(
  x: Float32Array,
  from: number,
  n: number,
  weights: Float32Array,
  codes: Uint8Array,
  at: number,
  scale: number,
  min: number,
  absolute: boolean,
  enough: number,
): number {
  let error = 0;
  for (let i = 0; i < n && error < enough; i++) {
    const difference = fround(fround(fround(scale * codes[at + i]!) + min) - x[from + i]!);
    error = fround(error + fround(weights[i]! * (absolute ? Math.abs(difference) : fround(difference * difference))));
  }
  return error;
}
