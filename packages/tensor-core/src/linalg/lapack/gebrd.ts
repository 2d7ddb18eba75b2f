import { matrix, type Matrix } from "../matrix.js";

/** A = Q·B·Pᵀ with B bidiagonal: upper if A is at least as tall as wide, else lower. Factors are kept as Householder vectors. */
export interface Bidiagonal {
  readonly d: Float64Array;
  readonly e: Float64Array;
  /** Maps rows x of length k to (Q·xᵀ)ᵀ: [count, k] → [count, m]. */
  readonly applyQ: (rows: Matrix) => Matrix;
  /** The same with P: [count, k] → [count, n]. */
  readonly applyP: (rows: Matrix) => Matrix;
}

/** H = I − τ·v·vᵀ, v zero up to `start`. */
interface Reflector {
  readonly start: number;
  readonly tau: number;
  readonly v: Float64Array;
}

/** @see LAPACK `sgebrd` */
export function gebrd(a: Matrix): Bidiagonal {
  const { rows: m, cols: n } = a;
  const k = Math.min(m, n);
  const w = matrix(m, n, a.data.slice());
  const upper = m >= n;
  const [d, e] = [new Float64Array(k), new Float64Array(k - 1)];
  const [left, right]: [Reflector[], Reflector[]] = [[], []];
  for (let i = 0; i < k; i++) {
    if (upper) d[i] = reflectColumn(w, i, i, left);
    else d[i] = reflectRow(w, i, i, right);
    if (i === k - 1) break;
    if (upper) e[i] = reflectRow(w, i, i + 1, right);
    else e[i] = reflectColumn(w, i + 1, i, left);
  }
  return { d, e, applyQ: (rows) => applyAll(left, rows, m), applyP: (rows) => applyAll(right, rows, n) };
}

/** x = (α, tail) → (β, 0). @see LAPACK `slarfg` */
function reflector(x: Float64Array, start: number, size: number): { beta: number; reflector: Reflector } {
  const tail = x.subarray(1).reduce((sum, y) => sum + y * y, 0);
  const alpha = x[0]!;
  const v = new Float64Array(size);
  v[start] = 1;
  if (tail === 0) return { beta: alpha, reflector: { start, tau: 0, v } };
  const beta = (alpha < 0 ? 1 : -1) * Math.sqrt(alpha * alpha + tail);
  for (let i = 1; i < x.length; i++) v[start + i] = x[i]! / (alpha - beta);
  return { beta, reflector: { start, tau: (beta - alpha) / beta, v } };
}

function reflectColumn(w: Matrix, row: number, col: number, into: Reflector[]): number {
  const x = Float64Array.from({ length: w.rows - row }, (_, i) => w.data[(row + i) * w.cols + col]!);
  const { beta, reflector: h } = reflector(x, row, w.rows);
  into.push(h);
  const dots = new Float64Array(w.cols);
  for (let i = row; i < w.rows; i++) for (let j = col + 1; j < w.cols; j++) dots[j]! += h.v[i]! * w.data[i * w.cols + j]!;
  for (let i = row; i < w.rows; i++) for (let j = col + 1; j < w.cols; j++) w.data[i * w.cols + j]! -= h.tau * h.v[i]! * dots[j]!;
  return beta;
}

function reflectRow(w: Matrix, row: number, col: number, into: Reflector[]): number {
  const { beta, reflector: h } = reflector(w.data.slice(row * w.cols + col, (row + 1) * w.cols), col, w.cols);
  into.push(h);
  for (let i = row + 1; i < w.rows; i++) reflect(h, w.data.subarray(i * w.cols, (i + 1) * w.cols));
  return beta;
}

function reflect({ start, tau, v }: Reflector, x: Float64Array): void {
  let dot = 0;
  for (let k = start; k < x.length; k++) dot += v[k]! * x[k]!;
  dot *= tau;
  for (let k = start; k < x.length; k++) x[k]! -= dot * v[k]!;
}

function applyAll(reflectors: readonly Reflector[], { rows: count, cols, data }: Matrix, size: number): Matrix {
  const out = matrix(count, size);
  for (let i = 0; i < count; i++) {
    const x = out.data.subarray(i * size, (i + 1) * size);
    x.set(data.subarray(i * cols, (i + 1) * cols));
    for (let k = reflectors.length - 1; k >= 0; k--) reflect(reflectors[k]!, x);
  }
  return out;
}
