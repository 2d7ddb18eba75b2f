import { reshape, scatterAdd, type Tensor, zeros } from "@weft/tensor-core";
import { wide } from "./define.js";

/** A matrix of zeros but for `values` added at the flat places `index`. */
export function sparse(values: Tensor, index: Tensor, rows: number, columns: number): Tensor {
  return reshape(scatterAdd(zeros([rows * columns]), index, wide(values)), [rows, columns]);
}
