import { type DType, type LayerSpec, tensor, type Tensor } from "@weft/tensor-core";
import { matrix, type Matrix } from "@weft/tensor-core/linalg";
import { roundedTo, stored, wide } from "@weft/tensor-core/methods";

/** The base weight of a linear layer as [out, in], that of an embedding as it is stored, in f64. */
export async function weightMatrix(weight: Tensor, layer: LayerSpec): Promise<Matrix> {
  const [rows, cols] = stored(weight, layer).shape as [number, number];
  return matrix(rows, cols, await wide(stored(weight, layer)).data());
}

/** Values as a constant in f32, with what rounding to `dtype` leaves of them: PEFT keeps factors in the dtype of the base. */
export function rounded(values: ArrayLike<number>, shape: readonly number[], dtype: DType): Tensor {
  return roundedTo(dtype)(tensor(Float32Array.from(values), { shape }));
}

/** A part of a matrix, rows and columns from … to. */
export function block({ cols, data }: Matrix, [top, bottom]: readonly [number, number], [left, right]: readonly [number, number]): Matrix {
  const width = right - left;
  const out = new Float64Array((bottom - top) * width);
  for (let i = top; i < bottom; i++) out.set(data.subarray(i * cols + left, i * cols + right), (i - top) * width);
  return matrix(bottom - top, width, out);
}

/** Two matrices side by side. */
export function hstack(left: Matrix, right: Matrix): Matrix {
  const cols = left.cols + right.cols;
  const out = matrix(left.rows, cols);
  for (let i = 0; i < left.rows; i++) {
    out.data.set(left.data.subarray(i * left.cols, (i + 1) * left.cols), i * cols);
    out.data.set(right.data.subarray(i * right.cols, (i + 1) * right.cols), i * cols + left.cols);
  }
  return out;
}
