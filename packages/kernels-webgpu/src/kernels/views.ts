import { contiguousStrides, type Operand } from "@weft/tensor-core";

/** A contiguous operand seen with another shape. */
export function reshaped(operand: Operand, shape: readonly number[]): Operand {
  return { ...operand, shape, strides: contiguousStrides(shape) };
}
