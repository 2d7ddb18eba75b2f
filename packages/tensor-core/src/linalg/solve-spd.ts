import { matrix, type Matrix } from "./matrix.js";

/** X with M·X = R for a symmetric positive definite M [n, n] and R [n, k], by Cholesky's decomposition. NaN if M is not definite. */
export function solveSpd(m: Matrix, right: Matrix): Matrix {
  const n = m.rows;
  const l = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = m.data[i * n + j]!;
      for (let k = 0; k < j; k++) sum -= l[i * n + k]! * l[j * n + k]!;
      l[i * n + j] = i === j ? Math.sqrt(sum) : sum / l[j * n + j]!;
    }
  }
  const x = matrix(n, right.cols, right.data.slice());
  const eliminate = (i: number, k: number, factor: number): void => {
    for (let c = 0; c < x.cols; c++) x.data[i * x.cols + c]! -= factor * x.data[k * x.cols + c]!;
  };
  const divide = (i: number): void => {
    for (let c = 0; c < x.cols; c++) x.data[i * x.cols + c]! /= l[i * n + i]!;
  };
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) eliminate(i, k, l[i * n + k]!);
    divide(i);
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) eliminate(i, k, l[k * n + i]!);
    divide(i);
  }
  return x;
}
