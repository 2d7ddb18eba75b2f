import { type Matrix, transposed } from "./matrix.js";

/**
 * Another basis of the column space of a tall matrix: the unit lower triangular factor of its LU decomposition with row pivoting, rows in their old
 * order. Its entries are at most 1, so it is well conditioned, and a quarter of the work of QR. A column that depends on earlier ones comes out as
 * rounding noise, or 0.
 */
export function luBasis(a: Matrix): Matrix {
  const { rows: m, cols: n } = a;
  // Columns are stored as rows: every loop below runs over contiguous memory.
  const w = transposed(a).data;
  for (let j = 0; j < n; j++) {
    const column = w.subarray(j * m, (j + 1) * m);
    let pivot = 0;
    for (let i = 1; i < m; i++) if (Math.abs(column[i]!) > Math.abs(column[pivot]!)) pivot = i;
    const largest = column[pivot]!;
    if (largest === 0) continue;
    for (let i = 0; i < m; i++) column[i]! /= largest;
    for (let c = j + 1; c < n; c++) {
      const other = w.subarray(c * m, (c + 1) * m);
      const factor = other[pivot]!;
      for (let i = 0; i < m; i++) other[i]! -= factor * column[i]!;
      other[pivot] = 0;
    }
  }
  return transposed({ rows: n, cols: m, data: w });
}
