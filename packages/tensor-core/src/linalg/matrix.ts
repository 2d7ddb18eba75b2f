/** Dense row-major matrix in f64. */
export interface Matrix {
  readonly rows: number;
  readonly cols: number;
  readonly data: Float64Array;
}

/** A matrix of f64; zeros without data, which is copied unless it is a Float64Array. */
export function matrix(rows: number, cols: number, data: ArrayLike<number> = new Float64Array(rows * cols)): Matrix {
  return { rows, cols, data: data instanceof Float64Array ? data : Float64Array.from(data) };
}

/** Aᵀ. */
export function transposed({ rows, cols, data }: Matrix): Matrix {
  const out = new Float64Array(data.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < cols; j++) out[j * rows + i] = data[i * cols + j]!;
  return { rows: cols, cols: rows, data: out };
}

/** A · B, accumulated in f64. */
export function product(a: Matrix, b: Matrix): Matrix {
  const out = new Float64Array(a.rows * b.cols);
  for (let i = 0; i < a.rows; i++) {
    for (let k = 0; k < a.cols; k++) {
      const x = a.data[i * a.cols + k]!;
      for (let j = 0; j < b.cols; j++) out[i * b.cols + j]! += x * b.data[k * b.cols + j]!;
    }
  }
  return { rows: a.rows, cols: b.cols, data: out };
}

/** The first `count` columns. */
export function columns(m: Matrix, count: number): Matrix {
  return {
    rows: m.rows,
    cols: count,
    data: Float64Array.from({ length: m.rows * count }, (_, i) => m.data[Math.floor(i / count) * m.cols + (i % count)]!),
  };
}
