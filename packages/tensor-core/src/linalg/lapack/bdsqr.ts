import { CapabilityError } from "../../errors.js";
import type { Matrix } from "../matrix.js";
import { EPS, lartg, rotateRows, smallerSingularValue, triangleSvd, withSign } from "./rotations.js";

const TOLERANCE = 10 * EPS;
const SAFE_MINIMUM = 2 ** -126;
const MAX_SWEEPS = 6;

/**
 * SVD of an upper bidiagonal matrix by implicit QR sweeps, with zero shift where that keeps small values accurate. In place: `d` becomes the singular
 * values in no particular order, `e` zero, rows of `ut` and `vt` are rotated with them; a negative value turns its row of `vt`.
 * The direction of a sweep, its shift and where `e` counts as zero are those of single precision, for their parity decides the signs.
 * @param d [n]
 * @param e [n − 1]
 * @param ut n rows: Uᵀ so far
 * @param vt at least n rows: Vᵀ so far
 * @throws CapabilityError if the sweeps do not converge
 * @see LAPACK `sbdsqr`
 */
export function bdsqr(d: Float64Array, e: Float64Array, ut: Matrix, vt: Matrix): void {
  const n = d.length;
  const threshold = Math.max((TOLERANCE * smallestEstimate(d, e)) / Math.sqrt(n), MAX_SWEEPS * n * n * SAFE_MINIMUM);
  let last = n - 1;
  let before = { first: -1, last: -1 };
  let down = true;
  for (let work = 0; last > 0 && work <= MAX_SWEEPS * n * n;) {
    let first = last;
    let largest = Math.abs(d[last]!);
    for (; first > 0 && Math.abs(e[first - 1]!) > threshold; first--)
      largest = Math.max(largest, Math.abs(d[first - 1]!), Math.abs(e[first - 1]!));
    if (first > 0) e[first - 1] = 0;
    if (first === last) {
      last--;
      continue;
    }
    if (first === last - 1) {
      const { large, small, left, right } = triangleSvd(d[first]!, e[first]!, d[last]!);
      [d[first], e[first], d[last]] = [large, 0, small];
      rotateRows(vt, first, last, right.c, right.s);
      rotateRows(ut, first, last, left.c, left.s);
      last -= 2;
      continue;
    }
    if (first > before.last || last < before.first) down = Math.abs(d[first]!) >= Math.abs(d[last]!);
    const smallest = deflate(d, e, first, last, down);
    if (smallest === undefined) continue;
    before = { first, last };
    const shift = shiftOf(d, e, first, last, down, smallest / largest);
    work += last - first;
    (shift === 0 ? zeroShiftSweep : shiftedSweep)(d, e, ut, vt, first, last, down, shift);
    const end = down ? last - 1 : first;
    if (Math.abs(e[end]!) <= threshold) e[end] = 0;
  }
  if (last > 0)
    throw new CapabilityError(
      `the SVD of a bidiagonal matrix of ${n} rows: expected convergence within ${MAX_SWEEPS * n * n} rotations, got none`,
      {
        hint: "look for infinite values in the matrix",
      },
    );
  for (let i = 0; i < n; i++) {
    if (!(d[i]! < 0)) continue;
    d[i] = -d[i]!;
    for (let k = i * vt.cols; k < (i + 1) * vt.cols; k++) vt.data[k] = -vt.data[k]!;
  }
}

/** A lower bound of the smallest singular value. */
function smallestEstimate(d: Float64Array, e: Float64Array): number {
  let mu = Math.abs(d[0]!);
  let smallest = mu;
  for (let i = 1; i < d.length && smallest > 0; i++) {
    mu = Math.abs(d[i]!) * (mu / (mu + Math.abs(e[i - 1]!)));
    smallest = Math.min(smallest, mu);
  }
  return smallest;
}

/** Sets one negligible e to 0 and returns undefined, or a lower bound of the block's smallest singular value. */
function deflate(d: Float64Array, e: Float64Array, first: number, last: number, down: boolean): number | undefined {
  const end = down ? last - 1 : first;
  if (Math.abs(e[end]!) <= TOLERANCE * Math.abs(d[down ? last : first]!)) {
    e[end] = 0;
    return undefined;
  }
  let mu = Math.abs(d[down ? first : last]!);
  let smallest = mu;
  for (let k = 0; k < last - first; k++) {
    const i = down ? first + k : last - 1 - k;
    if (Math.abs(e[i]!) <= TOLERANCE * mu) {
      e[i] = 0;
      return undefined;
    }
    mu = Math.abs(d[down ? i + 1 : i]!) * (mu / (mu + Math.abs(e[i]!)));
    smallest = Math.min(smallest, mu);
  }
  return smallest;
}

function shiftOf(d: Float64Array, e: Float64Array, first: number, last: number, down: boolean, ratio: number): number {
  if (d.length * TOLERANCE * ratio <= Math.max(EPS, 0.01 * TOLERANCE)) return 0;
  const at = down ? last - 1 : first;
  const start = Math.abs(d[down ? first : last]!);
  const shift = smallerSingularValue(d[at]!, e[at]!, d[at + 1]!);
  return start > 0 && (shift / start) ** 2 < EPS ? 0 : shift;
}

function zeroShiftSweep(d: Float64Array, e: Float64Array, ut: Matrix, vt: Matrix, first: number, last: number, down: boolean): void {
  const step = down ? 1 : -1;
  const [from, to] = down ? [first, last] : [last, first];
  // The entry of e between i and i + step.
  const between = (i: number): number => (down ? i : i - 1);
  let [c, oldC, oldS] = [1, 1, 0];
  for (let i = from; i !== to; i += step) {
    const one = lartg(d[i]! * c, e[between(i)]!);
    if (i !== from) e[between(i - step)] = oldS * one.r;
    const two = lartg(oldC * one.r, d[i + step]! * one.s);
    d[i] = two.r;
    [c, oldC, oldS] = [one.c, two.c, two.s];
    rotateRows(down ? vt : ut, i, i + step, one.c, one.s);
    rotateRows(down ? ut : vt, i, i + step, two.c, two.s);
  }
  const h = d[to]! * c;
  d[to] = h * oldC;
  e[between(to - step)] = h * oldS;
}

function shiftedSweep(
  d: Float64Array,
  e: Float64Array,
  ut: Matrix,
  vt: Matrix,
  first: number,
  last: number,
  down: boolean,
  shift: number,
): void {
  const step = down ? 1 : -1;
  const [from, to] = down ? [first, last] : [last, first];
  const between = (i: number): number => (down ? i : i - 1);
  let f = (Math.abs(d[from]!) - shift) * (withSign(1, d[from]!) + shift / d[from]!);
  let g = e[between(from)]!;
  for (let i = from; i !== to; i += step) {
    const [at, next] = [between(i), i + step];
    const one = lartg(f, g);
    if (i !== from) e[between(i - step)] = one.r;
    f = one.c * d[i]! + one.s * e[at]!;
    e[at] = one.c * e[at]! - one.s * d[i]!;
    g = one.s * d[next]!;
    d[next] = one.c * d[next]!;
    const two = lartg(f, g);
    d[i] = two.r;
    f = two.c * e[at]! + two.s * d[next]!;
    d[next] = two.c * d[next]! - two.s * e[at]!;
    if (next !== to) {
      g = two.s * e[between(next)]!;
      e[between(next)] = two.c * e[between(next)]!;
    }
    rotateRows(down ? vt : ut, i, next, one.c, one.s);
    rotateRows(down ? ut : vt, i, next, two.c, two.s);
  }
  e[between(to - step)] = f;
}
