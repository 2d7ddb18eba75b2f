import type { DType, Operand } from "@weft/tensor-core";
import type { Shader, TensorRef } from "../../wgsl/shader.js";

/** One side of a product: a matrix [r, k] per batch entry, whose elements may come from anywhere in a tensor. */
export interface Source {
  readonly operand: Operand;
  readonly batchStrides: readonly number[];
  /** The index that neighbours in memory differ in; neighbouring threads walk along it. */
  readonly along: "r" | "k";
  /** The u32 that `element` sees as `base`, given the u32 batch number; the element number of the batch entry if not given. */
  readonly base?: (shader: Shader, batch: string) => string;
  /** The dtype that elements have exactly, if they are read as they are. */
  readonly dtype?: DType;
  /** Statements that return element (r, k) as f32; `base` is the element number of the batch entry. */
  readonly element: (shader: Shader, ref: TensorRef) => string;
}

/** Σ over terms of A·Bᵀ, [batch…, m, n]; A is [m, k] and B is [n, k]. Accumulated in f32. */
export interface Product {
  readonly name: string;
  readonly batch: readonly number[];
  readonly m: number;
  readonly n: number;
  readonly terms: readonly { readonly a: Source; readonly b: Source; readonly k: number }[];
  /** Contiguous, but for `pitch`. */
  readonly output: Operand;
  /** Elements from one stored row to the next, if it is not their length (with a batch only together with `batchPitch`). */
  readonly pitch?: number;
  /** Elements from one stored batch entry to the next, if it is not rows times pitch. */
  readonly batchPitch?: number;
  /** What becomes of a finished sum: WGSL for the value to store, given the value and its u32 batch, row and column. */
  readonly epilogue?: (shader: Shader) => (value: string, batch: string, row: string, column: string) => string;
  /** The output is stored [batch…, n, m]. */
  readonly swapped?: boolean;
}

/** A matrix as a strided view: `r` and `k` are the axes of `operand` that take these roles, the others are the batch. With `scale`, times that. */
export function matrix(operand: Operand, r: number, k: number, scale?: number): Source {
  const [sr, sk] = [operand.strides[r]!, operand.strides[k]!];
  return {
    operand,
    batchStrides: operand.strides.filter((_, axis) => axis !== r && axis !== k),
    ...(scale === undefined && { dtype: operand.dtype }),
    along: sk === 1 || (sr !== 1 && Math.abs(sk) <= Math.abs(sr)) ? "k" : "r",
    element: (shader, ref) =>
      `return ${scale === undefined ? "" : `${shader.f32(scale)} * `}${ref.load(`base + r * ${sr === 1 ? "1u" : shader.u32(sr)} + k * ${sk === 1 ? "1u" : shader.u32(sk)}`)};`,
  };
}
