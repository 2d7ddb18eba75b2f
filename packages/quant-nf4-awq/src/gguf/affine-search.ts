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
  /** Sums of the codes of trial k are known, as those of the first and what changes from each to the next. */
  let counted = false;
  for (let k = 0; k <= tries; k++) {
    if (!counted && (counted = range > 0)) countChanges(n, k, tries, first, most, range);
    else if (counted) {
      // The same codes as before give the same error, which was not smaller.
      if (changes[k] === 0) continue;
      sums.l += changeL[k]!;
      sums.l2 += changeL2[k]!;
      sums.xl += changeXL[k]!;
    }
    if (!absolute && counted) {
      const { l, l2, xl } = sums;
      const d = wholeW * l2 - l * l;
      const s = (wholeW * xl - wholeX * l) / d;
      const m = (l2 * wholeX - l * xl) / d;
      const error = squares + s * (s * l2 + 2 * m * l - 2 * xl) + m * (m * wholeW - 2 * wholeX);
      // Comparisons with NaN (d = 0) are false.
      if (error > best * 1.001 + 4 * delta * (Math.sqrt(wholeW * best) + wholeW * delta)) continue;
    }
    roundCodes(n, inverseOf(k, first, most, range), most);
    let sumL = 0;
    let sumL2 = 0;
    let sumXL = 0;
    for (let i = 0; i < n; i++) {
      const code = trial[i]!;
      const wl = fround(weightOf[i]! * code);
      sumL = fround(sumL + wl);
      sumL2 = fround(sumL2 + fround(wl * code));
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
    counted = false;
  }
  result.min = -min;
  return scale;
}

/** The inverse scale of trial k. */
const inverseOf = (k: number, first: number, most: number, range: number): number =>
  fround(fround(fround(first + fround(fround(0.1) * k)) + most) / range);

/** Most trials after the first. */
const TRIES = 20;
const inverses = new Float64Array(TRIES + 1);
/** What changes in the sums, in f64, from the codes of the trial before to those of each. */
const changeL = new Float64Array(TRIES + 1);
const changeL2 = new Float64Array(TRIES + 1);
const changeXL = new Float64Array(TRIES + 1);
const changes = new Uint8Array(TRIES + 1);
/** Σ w·code, Σ w·code², Σ w·x·code of a trial. */
const sums = { l: 0, l2: 0, xl: 0 };

/**
 * Sums of the codes of trial `from`, and what changes up to the last one. The inverse scale grows from each to the next, and with it the codes: few of them change, and where they do
 * follows from the number, up to rounding.
 */
function countChanges(n: number, from: number, tries: number, first: number, most: number, range: number): void {
  for (let k = from; k <= tries; k++) {
    inverses[k] = inverseOf(k, first, most, range);
    changeL[k] = 0;
    changeL2[k] = 0;
    changeXL[k] = 0;
    changes[k] = 0;
  }
  const low = inverses[from]!;
  const high = inverses[tries]!;
  let l = 0;
  let l2 = 0;
  let xl = 0;
  for (let i = 0; i < n; i++) {
    const a = above[i]!;
    const lowest = codeOf(low, a, most);
    const highest = codeOf(high, a, most);
    const w = weightOf[i]!;
    const wx = weighted[i]!;
    l += w * lowest;
    l2 += w * lowest * lowest;
    xl += wx * lowest;
    for (let code = lowest; code < highest; code++) {
      let k = Math.ceil(10 * (((code + 0.5) * range) / a - most - first));
      if (!(k > from)) k = from + 1;
      else if (k > tries) k = tries;
      while (k > from + 1 && codeOf(inverses[k - 1]!, a, most) > code) k--;
      while (codeOf(inverses[k]!, a, most) <= code) k++;
      changeL[k]! += w;
      changeL2[k]! += w * (2 * code + 1);
      changeXL[k]! += wx;
      changes[k] = 1;
    }
  }
  sums.l = l;
  sums.l2 = l2;
  sums.xl = xl;
}

/** The code of a number above the minimum, 0 … most. */
function codeOf(inverse: number, a: number, most: number): number {
  const code = roundHalfToEven(fround(inverse * a));
  return code < 0 ? 0 : code > most ? most : code;
}

/** The codes of a scale, into `trial`. */
function roundCodes(n: number, inverse: number, most: number): void {
  for (let i = 0; i < n; i++) {
    trial[i] = codeOf(inverse, above[i]!, most);
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
