import { roundHalfToEven } from "../rounding.js";
import { largestMagnitude } from "./extremes.js";

const { fround } = Math;
/** Numbers that are no larger are a block of zeros. */
export const NOTHING: number = fround(1e-15);

/** Steps tried to either side of the scale that puts the largest magnitude at -32. */
const STEPS = 9;
const COUNT = 2 * STEPS + 1;
const inverses = new Float64Array(COUNT);
/** What changes in the sums, in f64, from the step before to each step. */
const changeLX = new Float64Array(COUNT);
const changeL2 = new Float64Array(COUNT);
const changes = new Uint8Array(COUNT);
/** The set of codes that each step gives, and how good each set is. */
const setOf = new Uint8Array(COUNT);
const scores = new Float64Array(COUNT);
/** Σ w²·w·code and Σ w²·code² of each set in f32; NaN until they are asked for. */
const setLX = new Float64Array(COUNT);
const setL2 = new Float64Array(COUNT);

/** The code of a number, -32 … 31. */
function codeOf(inverse: number, v: number): number {
  const rounded = roundHalfToEven(fround(inverse * v));
  return rounded < -32 ? -32 : rounded > 31 ? 31 : rounded;
}

/**
 * The scale of 16 weights for w ≈ scale · code, code -32 … 31, weighted by w²: of nineteen scales about the one that puts the largest magnitude at -32 the one
 * with the smallest error, by ggml's sums in f32. Sums in f64 say first which of them can win: codes that differ in few places are few, and few of those come near.
 * @param result gets the inverse scale that the codes follow from; 0 for a block of zeros
 * @see ggml-quants.c make_qx_quants
 */
export function searchSymmetric(x: Float32Array, from: number, result: { inverse: number }): number {
  const extreme = largestMagnitude(x, from, 16);
  result.inverse = 0;
  if (Math.abs(extreme) < NOTHING) return 0;
  for (let k = 0; k < COUNT; k++) inverses[k] = fround(-fround(32 + fround(fround(0.1) * (k - STEPS))) / extreme);
  changeLX.fill(0);
  changeL2.fill(0);
  changes.fill(0);
  for (let i = from; i < from + 16; i++) {
    const v = x[i]!;
    const first = codeOf(inverses[0]!, v);
    const last = codeOf(inverses[COUNT - 1]!, v);
    changeLX[0]! += v * v * v * first;
    changeL2[0]! += v * v * first * first;
    if (first !== last) findChanges(v, extreme, first, last);
  }
  let sets = 0;
  let top = 0;
  let lx = 0;
  let l2 = 0;
  changes[0] = 1;
  for (let k = 0; k < COUNT; k++) {
    lx += changeLX[k]!;
    l2 += changeL2[k]!;
    if (changes[k] === 1) {
      const score = l2 > 0 ? (lx * lx) / l2 : 0;
      scores[sets] = score;
      setLX[sets++] = NaN;
      if (score > top) top = score;
    }
    setOf[k] = sets - 1;
  }
  // f32 is wrong by less than a 100 000th here: others cannot win. Of those that are left each step is judged, as equal ones may take turns.
  const enough = top * (1 - 1e-5);
  let scale = 0;
  let best = -1;
  for (let k = 0; k < COUNT; k++) {
    // The scale without a step comes first.
    const step = k === 0 ? STEPS : k <= STEPS ? k - 1 : k;
    const set = setOf[step]!;
    if (k > 0 && scores[set]! < enough) continue;
    const inverse = inverses[step]!;
    if (setLX[set] !== setLX[set]) sums(x, from, inverse, set);
    const sumLX = setLX[set]!;
    const sumL2 = setL2[set]!;
    if (k > 0 && !(sumL2 > 0 && fround(sumLX * sumLX) > fround(best * sumL2))) continue;
    scale = sumL2 === 0 ? 0 : fround(sumLX / sumL2);
    best = fround(scale * sumLX);
    result.inverse = inverse;
  }
  return scale;
}

/** Notes at which steps the code of a number goes from that of the first step to that of the last: it never turns back. Where follows from the number, up to rounding. */
function findChanges(v: number, extreme: number, first: number, last: number): void {
  const direction = last > first ? 1 : -1;
  const ratio = Math.abs(10 * (extreme / v));
  const cube = v * v * v * direction;
  for (let code = first; code !== last; code += direction) {
    let k = Math.ceil(STEPS - 320 + (Math.abs(code) + 0.5) * ratio);
    if (!(k > 1)) k = 1;
    else if (k >= COUNT) k = COUNT - 1;
    while (k > 1 && direction * (codeOf(inverses[k - 1]!, v) - code) > 0) k--;
    while (direction * (codeOf(inverses[k]!, v) - code) <= 0) k++;
    changeLX[k]! += cube;
    changeL2[k]! += v * v * (2 * code * direction + 1);
    changes[k] = 1;
  }
}

/** The sums of a set, in f32 and in the order of the weights. */
function sums(x: Float32Array, from: number, inverse: number, set: number): void {
  let lx = 0;
  let l2 = 0;
  for (let i = from; i < from + 16; i++) {
    const v = x[i]!;
    const code = codeOf(inverse, v);
    const w = fround(v * v);
    lx = fround(lx + fround(fround(w * v) * code));
    l2 = fround(l2 + fround(fround(w * code) * code));
  }
  setLX[set] = lx;
  setL2[set] = l2;
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
