import { cast, type LayerSpec, tensor, type Tensor } from "@weft/tensor-core";
import { matrix, type Matrix, transposed } from "@weft/tensor-core/linalg";

/** A host matrix as a tensor, rounded to f32. */
export const toTensor = (m: Matrix): Tensor => tensor(Float32Array.from(m.data), { shape: [m.rows, m.cols] });

/** The weight of a linear layer as a host matrix [out, in]. */
export async function hostMatrix(weight: Tensor, { shape, transposed: isTransposed }: LayerSpec): Promise<Matrix> {
  const m = matrix(shape[0]!, shape[1]!, await cast(weight, "f32").data());
  return isTransposed ? transposed(m) : m;
}

/** The rows at `index`, each by its factor. */
export function pickRows(m: Matrix, index: readonly number[], factors?: ArrayLike<number>): Matrix {
  const out = matrix(index.length, m.cols);
  index.forEach((from, to) => {
    for (let j = 0; j < m.cols; j++) out.data[to * m.cols + j] = m.data[from * m.cols + j]! * (factors?.[to] ?? 1);
  });
  return out;
}

/** The columns at `index`, each by its factor. */
export function pickColumns(m: Matrix, index: readonly number[], factors?: ArrayLike<number>): Matrix {
  const out = matrix(m.rows, index.length);
  for (let i = 0; i < m.rows; i++)
    index.forEach((from, to) => (out.data[i * index.length + to] = m.data[i * m.cols + from]! * (factors?.[to] ?? 1)));
  return out;
}

/** 0 … count-1, from `first` on. */
export const range = (count: number, first = 0): number[] => Array.from({ length: count }, (_, i) => first + i);
