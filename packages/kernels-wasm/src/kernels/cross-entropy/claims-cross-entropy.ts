import type { CompositeCall } from "@weft/tensor-core";
import { formatCode } from "../../lower/context.js";

/** Classes below which the program over the rows is as fast. */
const FEW = 32;

/** Logits in a format that the kernels read, with rows that are worth it. */
export function claimsCrossEntropy({ inputs }: CompositeCall): boolean {
  const { dtype, shape } = inputs[0]!;
  return formatCode(dtype) !== undefined && shape[1]! >= FEW;
}
