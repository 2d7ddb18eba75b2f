import { type Matrix } from "./matrix.js";

/** Rows that are worked on together, so that what they need of the others is read once for all of them. */
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

/** R upper triangular with R·Rᵀ = M, in place of M's upper half; false if M is not positive definite. */
function factor(r: Float64Array, n: number): boolean {
  for (let end = n; end > 0; end -= BLOCK) {
    const start = Math.max(0, end - BLOCK);
    // What the columns behind the block have to say to it.
    for (let i = 0; i < end; i++) for (let j = Math.max(i, start); j < end; j++) r[i * n + j]! -= dot(r, i * n + end, j * n + end, n - end);
    for (let j = end - 1; j >= start; j--) {
      const own = r[j * n + j]! - dot(r, j * n + j + 1, j * n + j + 1, end - j - 1);
      if (!(own > 0)) return false;
      const diagonal = Math.sqrt(own);
      r[j * n + j] = diagonal;
      for (let i = 0; i < j; i++) r[i * n + j] = (r[i * n + j]! - dot(r, i * n + j + 1, j * n + j + 1, end - j - 1)) / diagonal;
    }
  }
  return true;
}

/** R⁻¹ of an upper triangular R. */
function invertUpper(r: Float64Array, n: number): Float64Array {
  const u = new Float64Array(n * n);
  for (let end = n; end > 0; end -= BLOCK) {
    const start = Math.max(0, end - BLOCK);
    for (let k = end; k < n; k++) for (let i = start; i < end; i++) subtractRow(u, i * n, k * n, r[i * n + k]!, k, n);
    for (let i = end - 1; i >= start; i--) {
      for (let k = i + 1; k < end; k++) subtractRow(u, i * n, k * n, r[i * n + k]!, k, n);
      const diagonal = r[i * n + i]!;
      u[i * n + i] = 1;
      for (let c = i; c < n; c++) u[i * n + c]! /= diagonal;
    }
  }
  return u;
}

function subtractRow(data: Float64Array, to: number, from: number, times: number, start: number, end: number): void {
  if (times === 0) return;
  for (let c = start; c < end; c++) data[to + c]! -= times * data[from + c]!;
}

/**
 * The upper Cholesky factor of the inverse of a symmetric M [n, n]: U with Uᵀ·U = M⁻¹. The inverse itself is not formed: with M = R·Rᵀ, R upper triangular, U is R⁻¹.
 * Only the upper half of M is read. 2/3·n³ operations.
 * @returns undefined if M is not positive definite
 */
export function inverseCholesky(m: Matrix): Matrix | undefined {
  const r = m.data.slice();
  return factor(r, m.rows) ? { rows: m.rows, cols: m.rows, data: invertUpper(r, m.rows) } : undefined;
}
