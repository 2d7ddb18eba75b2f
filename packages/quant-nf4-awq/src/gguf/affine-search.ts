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

/* A sub-block in f64: what is read over and over is converted once. */
const values = new Float64Array(32);
const weightOf = new Float64Array(32);
const weighted = new Float64Array(32);
/** Values less the minimum, rounded to f32. */
const above = new Float64Array(32);
const trial = new Uint8Array(32);

/** Rounding errors of f32 in a difference of numbers of size 1, with room. */
const DELTA = 4e-7;

/**
 * Finds scale and minimum of a sub-block for w ≈ scale · code + minimum, code 0 … most, minimum ≤ 0: for each scale of the grid the codes, then the
 * weighted least squares for these codes; the smallest weighted error wins, and its minimum is what the next codes are counted from. All in f32, in ggml's order;
 * a trial whose least error in f64 is larger by more than f32 can be wrong is passed over.
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
  let min = x[from]!;
  let max = min;
  let sumW = 0;
  let sumX = 0;
  /* The same in f64, of which the error follows. */
  let wholeW = 0;
  let wholeX = 0;
  let squares = 0;
  for (let i = 0; i < n; i++) {
    const v = x[from + i]!;
    const w = weights[i]!;
    values[i] = v;
    weightOf[i] = w;
    weighted[i] = w * v;
    wholeW += w;
    wholeX += w * v;
    squares += w * v * v;
    if (v < min) min = v;
    if (v > max) max = v;
    sumW = fround(sumW + w);
    sumX = fround(sumX + fround(w * v));
  }
  if (min > 0) min = 0;
  if (max === min) {
    codes.fill(0, at, at + n);
    result.min = -min;
    return 0;
  }
  const delta = DELTA * Math.max(-min, max);
  let range = fround(max - min);
  for (let i = 0; i < n; i++) above[i] = fround(values[i]! - min);
  let scale = fround(1 / fround(most / range));
  roundCodes(n, fround(most / range), most);
  for (let i = 0; i < n; i++) codes[at + i] = trial[i]!;
  let best = errorOf(n, scale, min, absolute, Infinity);
  for (let k = 0; k <= tries; k++) {
    const inverse = fround(fround(fround(first + fround(fround(0.1) * k)) + most) / range);
    let l = 0;
    let l2 = 0;
    let xl = 0;
    for (let i = 0; i < n; i++) {
      let code = roundHalfToEven(fround(inverse * above[i]!));
      if (code < 0) code = 0;
      if (code > most) code = most;
      trial[i] = code;
      const wl = weightOf[i]! * code;
      l += wl;
      l2 += wl * code;
      xl += weighted[i]! * code;
    }
    if (!absolute) {
      const d = wholeW * l2 - l * l;
      const s = (wholeW * xl - wholeX * l) / d;
      const m = (l2 * wholeX - l * xl) / d;
      const error = squares + s * (s * l2 + 2 * m * l - 2 * xl) + m * (m * wholeW - 2 * wholeX);
      // Comparisons with NaN (d = 0) are false.
      if (error > best * 1.001 + 4 * delta * (Math.sqrt(wholeW * best) + wholeW * delta)) continue;
    }
    let sumL = 0;
    let sumL2 = 0;
    let sumXL = 0;
    for (let i = 0; i < n; i++) {
      const wl = fround(weightOf[i]! * trial[i]!);
      sumL = fround(sumL + wl);
      sumL2 = fround(sumL2 + fround(wl * trial[i]!));
      sumXL = fround(sumXL + fround(wl * values[i]!));
    }
    const determinant = fround(fround(sumW * sumL2) - fround(sumL * sumL));
    if (determinant <= 0) continue;
    let thisScale = fround(fround(fround(sumW * sumXL) - fround(sumX * sumL)) / determinant);
    let thisMin = fround(fround(fround(sumL2 * sumX) - fround(sumL * sumXL)) / determinant);
    if (thisMin > 0) {
      thisMin = 0;
      thisScale = fround(sumXL / sumL2);
    }
    const error = errorOf(n, thisScale, thisMin, absolute, best);
    if (error >= best) continue;
    for (let i = 0; i < n; i++) codes[at + i] = trial[i]!;
    best = error;
    scale = thisScale;
    min = thisMin;
    range = fround(max - min);
    for (let i = 0; i < n; i++) above[i] = fround(values[i]! - min);
  }
  result.min = -min;
  return scale;
}

/** The codes of a scale, into `trial`. */
function roundCodes(n: number, inverse: number, most: number): void {
  for (let i = 0; i < n; i++) {
    const code = roundHalfToEven(fround(inverse * above[i]!));
    trial[i] = code < 0 ? 0 : code > most ? most : code;
  }
}

/** The weighted error of `trial`; some number from `enough` on as soon as it is reached, since sums of what is not negative only grow. */
function errorOf(n: number, scale: number, min: number, absolute: boolean, enough: number): number {
  let error = 0;
  for (let i = 0; i < n && error < enough; i++) {
    const difference = fround(fround(fround(scale * trial[i]!) + min) - values[i]!);
    error = fround(error + fround(weightOf[i]! * (absolute ? Math.abs(difference) : fround(difference * difference))));
  }
  return error;
}
