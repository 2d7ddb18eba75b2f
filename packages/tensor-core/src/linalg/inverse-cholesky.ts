import { upperRow } from "./packed-upper.js";

/** Rows that are worked on together, so that what they need of the others is read once for all of them: a multiple of 4. */
const BLOCK = 32;

/** Σ a[k]·b[k] for k = 0 … n - 1 of two rows that begin at these places. */
function dot(data: Float64Array, a: number, b: number, n: number): number {
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  let k = 0;
  for (; k + 3 < n; k += 4) {
    s0 += data[a + k]! * data[b + k]!;
    s1 += data[a + k + 1]! * data[b + k + 1]!;
    s2 += data[a + k + 2]! * data[b + k + 2]!;
    s3 += data[a + k + 3]! * data[b + k + 3]!;
  }
  for (; k < n; k++) s0 += data[a + k]! * data[b + k]!;
  return s0 + s1 + (s2 + s3);
}

/** r[i, j] -= Σ r[i, k]·r[j, k] over k = `end` …, for two rows `i` and four rows `j`. */
function subtractDots(r: Float64Array, n: number, i: number, j: number, end: number): void {
  const [a, b] = [upperRow(n, i), upperRow(n, i + 1)];
  const [p, q, s, t] = [upperRow(n, j), upperRow(n, j + 1), upperRow(n, j + 2), upperRow(n, j + 3)];
  let ap = 0;
  let aq = 0;
  let as = 0;
  let at = 0;
  let bp = 0;
  let bq = 0;
  let bs = 0;
  let bt = 0;
  for (let k = end; k < n; k++) {
    const x = r[a + k]!;
    const y = r[b + k]!;
    const u = r[p + k]!;
    const v = r[q + k]!;
    const w = r[s + k]!;
    const z = r[t + k]!;
    ap += x * u;
    aq += x * v;
    as += x * w;
    at += x * z;
    bp += y * u;
    bq += y * v;
    bs += y * w;
    bt += y * z;
  }
  r[a + j]! -= ap;
  r[a + j + 1]! -= aq;
  r[a + j + 2]! -= as;
  r[a + j + 3]! -= at;
  r[b + j]! -= bp;
  r[b + j + 1]! -= bq;
  r[b + j + 2]! -= bs;
  r[b + j + 3]! -= bt;
}

/** R upper triangular with R·Rᵀ = M, in place of M's upper half; false if M is not positive definite. */
function factor(r: Float64Array, n: number): boolean {
  for (let end = n; end > 0; end -= BLOCK) {
    const start = Math.max(0, end - BLOCK);
    // What the columns behind the block have to say to it. Blocks that rows lie above are whole.
    const pairs = start - (start % 2);
    for (let i = 0; i < pairs; i += 2) for (let j = start; j < end; j += 4) subtractDots(r, n, i, j, end);
    for (let i = pairs; i < end; i++)
      for (let j = Math.max(i, start); j < end; j++) r[upperRow(n, i) + j]! -= dot(r, upperRow(n, i) + end, upperRow(n, j) + end, n - end);
    for (let j = end - 1; j >= start; j--) {
      const row = upperRow(n, j);
      const own = r[row + j]! - dot(r, row + j + 1, row + j + 1, end - j - 1);
      if (!(own > 0)) return false;
      const diagonal = Math.sqrt(own);
      r[row + j] = diagonal;
      for (let i = 0; i < j; i++) {
        const at = upperRow(n, i) + j;
        r[at] = (r[at]! - dot(r, at + 1, row + j + 1, end - j - 1)) / diagonal;
      }
    }
  }
  return true;
}

/** R⁻¹ in place of an upper triangular R. */
function invertUpper(r: Float64Array, n: number): void {
  const times = Array.from({ length: BLOCK }, () => new Float64Array(n));
  for (let end = n; end > 0; end -= BLOCK) {
    const start = Math.max(0, end - BLOCK);
    for (let i = start; i < end; i++) {
      const row = upperRow(n, i);
      times[i - start]!.set(r.subarray(row + i, row + n), i);
      r.fill(0, row + i, row + n);
    }
    for (let k = end; k < n; k += 4) for (let i = start; i < end; i++) subtractRows(r, n, i, k, times[i - start]!);
    for (let i = end - 1; i >= start; i--) {
      const [row, own] = [upperRow(n, i), times[i - start]!];
      for (let k = i + 1; k < end; k++) subtractRow(r, row, upperRow(n, k), own[k]!, k, n);
      r[row + i] = 1;
      for (let c = i; c < n; c++) r[row + c]! /= own[i]!;
    }
  }
}

/** Row `i` -= Σ times[k]·row k, of four rows from `k` on, or as many as there are. */
function subtractRows(r: Float64Array, n: number, i: number, k: number, times: Float64Array): void {
  const row = upperRow(n, i);
  const few = Math.min(4, n - k);
  if (few < 4) {
    for (let q = k; q < k + few; q++) subtractRow(r, row, upperRow(n, q), times[q]!, q, n);
    return;
  }
  // The first three columns are not those of all four rows.
  for (let q = k; q < k + 3; q++) subtractRow(r, row, upperRow(n, q), times[q]!, q, k + 3);
  const [a, b, c, d] = [upperRow(n, k), upperRow(n, k + 1), upperRow(n, k + 2), upperRow(n, k + 3)];
  const [ta, tb, tc, td] = [times[k]!, times[k + 1]!, times[k + 2]!, times[k + 3]!];
  for (let j = k + 3; j < n; j++) r[row + j]! -= ta * r[a + j]! + tb * r[b + j]! + (tc * r[c + j]! + td * r[d + j]!);
}

function subtractRow(data: Float64Array, to: number, from: number, times: number, start: number, end: number): void {
  if (times === 0) return;
  for (let c = start; c < end; c++) data[to + c]! -= times * data[from + c]!;
}

/**
 * The upper Cholesky factor of the inverse of a symmetric M [n, n]: U with Uᵀ·U = M⁻¹. The inverse itself is not formed: with M = R·Rᵀ, R upper triangular, U is R⁻¹.
 * 2/3·n³ operations, in the memory of M.
 * @param upper the upper half of M, row after row (`upperRow`); U takes its place
 * @returns false if M is not positive definite; then `upper` holds nothing of use
 */
export function inverseCholesky(upper: Float64Array, n: number): boolean {
  if (!factor(upper, n)) return false;
  invertUpper(upper, n);
  return true;
}
