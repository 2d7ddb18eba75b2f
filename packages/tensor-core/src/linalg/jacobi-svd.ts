import { matrix, type Matrix, transposed } from "./matrix.js";

/** M = U · diag(s) · Vᵀ. */
export interface Svd {
  /** [m, k], orthonormal columns. */
  readonly u: Matrix;
  /** Descending. */
  readonly s: Float64Array;
  /** [k, n], orthonormal rows. */
  readonly vt: Matrix;
}

/** Thin SVD by one-sided Jacobi rotations: accurate to a few ulp of f64 for every singular value; O(m·n²) per sweep, so for small matrices. */
export function jacobiSvd(a: Matrix): Svd {
  if (a.rows < a.cols) {
    const { u, s, vt } = jacobiSvd(transposed(a));
    return { u: transposed(vt), s, vt: transposed(u) };
  }
  const { rows: m, cols: n } = a;
  // Columns are stored as rows, so that rotations run over contiguous memory.
  const w = transposed(a).data;
  const v = new Float64Array(n * n);
  for (let i = 0; i < n; i++) v[i * n + i] = 1;
  const rotate = (x: Float64Array, p: number, q: number, length: number, c: number, s: number): void => {
    for (let i = 0; i < length; i++) {
      const [xp, xq] = [x[p * length + i]!, x[q * length + i]!];
      x[p * length + i] = c * xp - s * xq;
      x[q * length + i] = s * xp + c * xq;
    }
  };
  for (let sweep = 0, turned = true; turned && sweep < 60; sweep++) {
    turned = false;
    for (let p = 0; p < n; p++) {
      for (let q = p + 1; q < n; q++) {
        let [pp, qq, pq] = [0, 0, 0];
        for (let i = 0; i < m; i++) {
          const [x, y] = [w[p * m + i]!, w[q * m + i]!];
          pp += x * x;
          qq += y * y;
          pq += x * y;
        }
        if (Math.abs(pq) <= 1e-15 * Math.sqrt(pp * qq)) continue;
        turned = true;
        const zeta = (qq - pp) / (2 * pq);
        const t = Math.sign(zeta || 1) / (Math.abs(zeta) + Math.sqrt(1 + zeta * zeta));
        const c = 1 / Math.sqrt(1 + t * t);
        rotate(w, p, q, m, c, c * t);
        rotate(v, p, q, n, c, c * t);
      }
    }
  }
  const norms = Float64Array.from({ length: n }, (_, j) => Math.sqrt(w.subarray(j * m, (j + 1) * m).reduce((sum, x) => sum + x * x, 0)));
  const order = [...norms.keys()].sort((i, j) => norms[j]! - norms[i]!);
  const u = matrix(m, n);
  const vt = matrix(n, n);
  order.forEach((from, to) => {
    for (let i = 0; i < m; i++) u.data[i * n + to] = norms[from]! > 0 ? w[from * m + i]! / norms[from]! : 0;
    vt.data.set(v.subarray(from * n, (from + 1) * n), to * n);
  });
  return { u, s: Float64Array.from(order, (j) => norms[j]!), vt };
}
