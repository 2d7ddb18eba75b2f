import { matrix, type Matrix } from "../matrix.js";
import { bdsqr } from "./bdsqr.js";
import { lartg, rotateRows } from "./rotations.js";

/** SVD of an upper bidiagonal n × m matrix, m = n or n + 1; the last row of `vt` of m = n + 1 spans the null space. Values in no particular order. */
export interface BidiagonalSvd {
  readonly d: Float64Array;
  /** Uᵀ, n × n. */
  readonly ut: Matrix;
  /** Vᵀ, m × m. */
  readonly vt: Matrix;
}

/**
 * By QR sweeps; the extra column of a wide matrix is turned away first.
 * @param d [n] diagonal
 * @param e [m − 1] above it
 * @see LAPACK `slasdq`
 */
export function lasdq(d: Float64Array, e: Float64Array): BidiagonalSvd {
  const n = d.length;
  const [ut, vt] = [identity(n), identity(e.length + 1)];
  const [values, above] = [d.slice(), e.slice()];
  if (e.length === n && n > 0) {
    toOtherTriangle(values, above, vt);
    toOtherTriangle(values, above.subarray(0, n - 1), ut);
  }
  bdsqr(values, above.subarray(0, n - 1), ut, vt);
  return { d: values, ut, vt };
}

export function identity(n: number): Matrix {
  const out = matrix(n, n);
  for (let i = 0; i < n; i++) out.data[i * n + i] = 1;
  return out;
}

/** Rotates a bidiagonal matrix from upper to lower form or back, `rows` with it; an e as long as d ends as 0. */
export function toOtherTriangle(d: Float64Array, e: Float64Array, rows: Matrix): void {
  for (let i = 0; i < e.length; i++) {
    const { c, s, r } = lartg(d[i]!, e[i]!);
    d[i] = r;
    e[i] = 0;
    if (i + 1 < d.length) {
      e[i] = s * d[i + 1]!;
      d[i + 1] = c * d[i + 1]!;
    }
    rotateRows(rows, i, i + 1, c, s);
  }
}
