import { type Matrix, transposed } from "./matrix.js";
import { qr } from "./qr.js";

/** Rounds of the implicit QL method per value; two or three are usual. */
const MAX_ROUNDS = 60;

/**
 * All singular values of a matrix, descending, without vectors: Householder bidiagonalisation (of R, where one side is longer), then the eigenvalues
 * of the Golub–Kahan form [0 Bᵀ; B 0], which are ±σ. Absolute error a few ulp of σ₁. O(m·n²): a second for a short side of 700.
 * @see Golub & Van Loan, Matrix Computations, §5.4 and §8.6
 */
export function singularValues(a: Matrix): Float64Array {
  const tall = a.rows >= a.cols ? a : transposed(a);
  const square = tall.rows > tall.cols ? qr(tall).r : tall;
  const { diagonal, upper } = bidiagonal(square);
  const n = diagonal.length;
  const off = new Float64Array(Math.max(0, 2 * n - 1));
  for (let i = 0; i < n; i++) {
    off[2 * i] = diagonal[i]!;
    if (i < n - 1) off[2 * i + 1] = upper[i]!;
  }
  return tridiagonalEigenvalues(new Float64Array(2 * n), off)
    .sort((x, y) => y - x)
    .slice(0, n)
    .map((x) => Math.max(0, x));
}

/** Both diagonals of the upper bidiagonal form of a square matrix. */
function bidiagonal({ rows: n, data }: Matrix): { readonly diagonal: Float64Array; readonly upper: Float64Array } {
  const w = data.slice();
  const [diagonal, upper] = [new Float64Array(n), new Float64Array(Math.max(0, n - 1))];
  const v = new Float64Array(n);
  const dots = new Float64Array(n);
  for (let j = 0; j < n; j++) {
    // From the left: column j below the diagonal becomes 0. Rows are contiguous, so vᵀ·W is gathered row by row.
    for (let i = j; i < n; i++) v[i] = w[i * n + j]!;
    const left = householder(v, j);
    diagonal[j] = left.value;
    if (left.tau !== 0) {
      dots.fill(0, j + 1);
      for (let i = j; i < n; i++) for (let c = j + 1; c < n; c++) dots[c]! += v[i]! * w[i * n + c]!;
      for (let i = j; i < n; i++) {
        const x = left.tau * v[i]!;
        for (let c = j + 1; c < n; c++) w[i * n + c]! -= x * dots[c]!;
      }
    }
    if (j >= n - 1) continue;
    // From the right: row j behind the upper diagonal becomes 0.
    for (let c = j + 1; c < n; c++) v[c] = w[j * n + c]!;
    const right = householder(v, j + 1);
    upper[j] = right.value;
    if (right.tau === 0) continue;
    for (let i = j + 1; i < n; i++) {
      let dot = 0;
      for (let c = j + 1; c < n; c++) dot += w[i * n + c]! * v[c]!;
      dot *= right.tau;
      for (let c = j + 1; c < n; c++) w[i * n + c]! -= dot * v[c]!;
    }
  }
  return { diagonal, upper };
}

/** Turns v[from…] into the vector of the reflection that leaves `value` in its first place and 0 behind. */
function householder(v: Float64Array, from: number): { readonly value: number; readonly tau: number } {
  let tail = 0;
  for (let i = from + 1; i < v.length; i++) tail += v[i]! ** 2;
  const alpha = v[from]!;
  if (tail === 0) return { value: alpha, tau: 0 };
  const value = -Math.sign(alpha || 1) * Math.sqrt(alpha * alpha + tail);
  for (let i = from + 1; i < v.length; i++) v[i]! /= alpha - value;
  v[from] = 1;
  return { value, tau: (value - alpha) / value };
}

/** Eigenvalues of a symmetric tridiagonal matrix by the implicit QL method; both arguments are overwritten. @see EISPACK `imtql1` */
function tridiagonalEigenvalues(d: Float64Array, off: Float64Array): Float64Array {
  const n = d.length;
  const e = new Float64Array(n);
  e.set(off);
  const norm = Math.max(largest(d), largest(e));
  for (let l = 0; l < n; l++) {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      let m = l;
      // The diagonal may be all zero, so what is negligible is told by the whole matrix.
      while (m < n - 1 && Math.abs(e[m]!) > Number.EPSILON * Math.max(norm * 1e-3, Math.abs(d[m]!) + Math.abs(d[m + 1]!))) m++;
      if (m === l) break;
      let g = (d[l + 1]! - d[l]!) / (2 * e[l]!);
      g = d[m]! - d[l]! + e[l]! / (g + (g >= 0 ? Math.hypot(g, 1) : -Math.hypot(g, 1)));
      let [s, c, p] = [1, 1, 0];
      let i = m - 1;
      for (; i >= l; i--) {
        const [f, b] = [s * e[i]!, c * e[i]!];
        const r = Math.hypot(f, g);
        e[i + 1] = r;
        if (r === 0) {
          d[i + 1]! -= p;
          e[m] = 0;
          break;
        }
        [s, c] = [f / r, g / r];
        g = d[i + 1]! - p;
        const t = (d[i]! - g) * s + 2 * c * b;
        p = s * t;
        d[i + 1] = g + p;
        g = c * t - b;
      }
      if (i >= l) continue;
      d[l]! -= p;
      e[l] = g;
      e[m] = 0;
    }
  }
  return d;
}

const largest = (x: Float64Array): number => x.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
