import { matrix, type Matrix } from "./matrix.js";

/**
 * X of A·X = B by LU with row pivoting. O(n³ + n²·m) for A [n, n] and B [n, m].
 * @returns undefined if a pivot is exactly 0, as LAPACK's `gesv` calls a matrix singular
 */
export function solve(a: Matrix, b: Matrix): Matrix | undefined {
  const [n, m] = [a.rows, b.cols];
  const [w, x] = [a.data.slice(), b.data.slice()];
  const swap = (data: Float64Array, width: number, i: number, j: number): void => {
    const row = data.slice(i * width, (i + 1) * width);
    data.copyWithin(i * width, j * width, (j + 1) * width);
    data.set(row, j * width);
  };
  const subtract = (data: Float64Array, width: number, to: number, from: number, factor: number, start: number): void => {
    for (let c = start; c < width; c++) data[to * width + c]! -= factor * data[from * width + c]!;
  };
  for (let k = 0; k < n; k++) {
    let pivot = k;
    for (let i = k + 1; i < n; i++) if (Math.abs(w[i * n + k]!) > Math.abs(w[pivot * n + k]!)) pivot = i;
    if (w[pivot * n + k] === 0) return undefined;
    if (pivot !== k) {
      swap(w, n, k, pivot);
      swap(x, m, k, pivot);
    }
    for (let i = k + 1; i < n; i++) {
      const factor = w[i * n + k]! / w[k * n + k]!;
      if (factor === 0) continue;
      subtract(w, n, i, k, factor, k + 1);
      subtract(x, m, i, k, factor, 0);
    }
  }
  for (let k = n - 1; k >= 0; k--) {
    for (let c = 0; c < m; c++) x[k * m + c]! /= w[k * n + k]!;
    for (let i = 0; i < k; i++) subtract(x, m, i, k, w[i * n + k]!, 0);
  }
  return matrix(n, m, x);
}
