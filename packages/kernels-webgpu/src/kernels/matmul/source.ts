import type { DType, Operand } from "@weft/tensor-core";
import type { Shader, TensorRef } from "../../wgsl/shader.js";
import { lanes } from "../../wgsl/storage.js";

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
  /** Where whole words hold neighbours along `along`: how many, and statements that return those from (r, k) on as a vector. */
  readonly word?: { readonly lanes: number; readonly elements: (shader: Shader, ref: TensorRef) => string };
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
  const { dtype, offset, shape, strides } = operand;
  const [sr, sk] = [strides[r]!, strides[k]!];
  const batchStrides = strides.filter((_, axis) => axis !== r && axis !== k);
  const along = sk === 1 || (sr !== 1 && Math.abs(sk) <= Math.abs(sr)) ? "k" : "r";
  const place = (shader: Shader): string => `base + r * ${sr === 1 ? "1u" : shader.u32(sr)} + k * ${sk === 1 ? "1u" : shader.u32(sk)}`;
  const times = (shader: Shader): string => (scale === undefined ? "" : `${shader.f32(scale)} * `);
  const each = lanes(dtype);
  const [neighbour, across, length] = along === "k" ? [sk, sr, shape[k]!] : [sr, sk, shape[r]!];
  const whole = each > 1 && neighbour === 1 && [offset, across, length, ...batchStrides].every((v) => v % each === 0);
  return {
    operand,
    batchStrides,
    ...(scale === undefined && { dtype }),
    along,
    element: (shader, ref) => `return ${times(shader)}${ref.load(place(shader))};`,
    ...(whole && { word: { lanes: each, elements: (shader, ref) => `return ${times(shader)}${ref.loadWord(place(shader))};` } }),
  };
}
