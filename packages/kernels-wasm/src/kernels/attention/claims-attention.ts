import { attentionLimits, type CompositeCall } from "@weft/tensor-core";
import { formatCode } from "../../lower/context.js";

/** Widest head: tiles of all operands share a thread's scratch memory. */
const MAX_WIDTH = 256;

/** q, k and v, and those of the `others` that are floats, lie in formats that the kernels read, and heads are not too wide. */
export function claimsAttention({ inputs, outputs }: CompositeCall): boolean {
  const { mask, lengths } = attentionLimits(inputs);
  return (
    [...inputs.filter((x) => x !== mask && x !== lengths), ...outputs].every((x) => formatCode(x.dtype) !== undefined) &&
    Math.max(inputs[0]!.shape[3]!, inputs[2]!.shape[3]!) <= MAX_WIDTH
  );
}
