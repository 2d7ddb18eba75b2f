import type { Tensor } from "../graph.js";
import type { MatrixShape, Parts } from "./format.js";

/**
 * A format whose weights are whole numbers with a scale and a zero point for each group of neighbours in a row: w[o, i] = scales[o, g] · (codes[o, i] -
 * zeros[o, g]) + minima[o, g], g = ⌊i / group⌋. Backends with kernels for such weights read them so.
 */
export interface AffineForm {
  /** Of a code, at most 8: codes are 0 … 2^bits - 1. */
  readonly bits: number;
  /** Neighbours in a row that share a scale; -1 for all of a row. */
  readonly group: number;
  /** i32 [out, in]. */
  codes(parts: Parts, shape: MatrixShape): Tensor;
  /** f32 [out, ⌈in / group⌉]. */
  scales(parts: Parts, shape: MatrixShape): Tensor;
  /** One for all, or i32 [out, ⌈in / group⌉]; 0 … 2^bits - 1. */
  readonly zeros: number | ((parts: Parts, shape: MatrixShape) => Tensor);
  /** f32 [out, ⌈in / group⌉]; 0 if not given. */
  readonly minima?: (parts: Parts, shape: MatrixShape) => Tensor;
}
