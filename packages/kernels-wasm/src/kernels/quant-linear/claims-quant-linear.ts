import { type CompositeCall, isFloat, type QuantLinearAttrs } from "@weft/tensor-core";

/** A line of a packed matrix is read as part of one row. */
export function claimsQuantLinear({ inputs, outputs, attrs }: CompositeCall): boolean {
  const { decode, transposed } = attrs as QuantLinearAttrs;
  const empty = inputs[0]!.shape.includes(0) || outputs[0]!.shape.includes(0);
  return isFloat(inputs[0]!.dtype) && !empty && (!transposed || decode.shape[1]! > 1);
}
