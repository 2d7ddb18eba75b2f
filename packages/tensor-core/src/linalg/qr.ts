import { matrix, type Matrix, transposed } from "./matrix.js";

/**
 * Reduced QR by Householder reflections with LAPACK's signs (`geqrf`, as `torch.linalg.qr`): A [m, n] = Q [m, k] · R [k, n], k = min(m, n).
 */
export function qr(a: Matrix): { readonly q: Matrix; readonly r: Matrix } {
  const { rows: m, cols: n } = a;
  const k = Math.min(m, n);
  // Columns are stored as rows: every loop below runs over contiguous memory.
  const w = transposed(a).data;
  const taus = new Float64Array(k);
  for (let j = 0; j < k; j++) {
    const v = w.subarray(j * m, (j + 1) * m);
    let tail = 0;
    for (let i = j + 1; i < m; i++) tail += v[i]! ** 2;
    if (tail === 0) continue;
    const alpha = v[j]!;
    const beta = -Math.sign(alpha || 1) * Math.sqrt(alpha * alpha + tail);
    taus[j] = (beta - alpha) / beta;
    for (let i = j + 1; i < m; i++) v[i]! /= alpha - beta;
    v[j] = beta;
    for (let c = j + 1; c < n; c++) reflect(w.subarray(c * m, (c + 1) * m), v, taus[j]!, j);
  }
  const r = matrix(k, n);
  for (let i = 0; i < k; i++) for (let j = i; j < n; j++) r.data[i * n + j] = w[j * m + i]!;
  const qt = matrix(k, m);
  for (let i = 0; i < k; i++) qt.data[i * m + i] = 1;
  for (let j = k - 1; j >= 0; j--)
    for (let c = j; c < k; c++) reflect(qt.data.subarray(c * m, (c + 1) * m), w.subarray(j * m, (j + 1) * m), taus[j]!, j);
  return { q: transposed(qt), r };
}

/** x := (I - τ·v·vᵀ)·x, where v begins at `from` with an implied 1. */
function reflect(x: Float64Array, v: Float64Array, tau: number, from: number): void {
  let dot = x[from]!;
  for (let i = from + 1; i < v.length; i++) dot += v[i]! * x[i]!;
  dot *= tau;
  x[from]! -= dot;
  for (let i = from + 1; i < v.length; i++) x[i]! -= v[i]! * dot;
}
