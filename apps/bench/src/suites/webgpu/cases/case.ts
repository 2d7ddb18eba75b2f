import type { DType, Tensor } from "@weft/tensor-core";

/** Makes a constant of numbers in [-0.5, 0.5). */
export type Make = (shape: readonly number[], dtype?: DType, seed?: number) => Tensor;

/** One piece of work with what it costs at least (formulas: operations, and bytes read and written once). */
export interface KernelCase {
  readonly name: string;
  /** Rows of the table of kernels that it runs; none for fused programs. */
  readonly kernels: readonly string[];
  readonly flops: number;
  readonly bytes: number;
  /** Inputs that are more than constants; they are computed before, and cost nothing. */
  readonly known?: (make: Make) => readonly Tensor[];
  readonly build: (make: Make, known: readonly Tensor[]) => Tensor | readonly Tensor[];
}

/** How large the cases are. */
export interface Sizes {
  /** Width of the model; even multiple of 16. */
  readonly width: number;
  /** Tokens of a batch. */
  readonly tokens: number;
  readonly rank: number;
  readonly vocabulary: number;
  readonly heads: number;
  readonly headWidth: number;
}

/** As a layer of a 7 B model with 1024 tokens. */
export const FULL: Sizes = { width: 4096, tokens: 1024, rank: 16, vocabulary: 32000, heads: 32, headWidth: 128 };
/** To see that everything runs and is right. */
export const SMALL: Sizes = { width: 64, tokens: 24, rank: 4, vocabulary: 96, heads: 2, headWidth: 16 };

export const F32 = 4;
export const BF16 = 2;
