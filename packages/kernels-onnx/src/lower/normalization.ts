import { type CompositeCall, sizeOf } from "@weft/tensor-core";
import type { CompositeStep, Context } from "./context.js";

/** The operators compute all of it in the dtype of x; ours round halves on the way. */
export const claimsNorm = ({ inputs }: CompositeCall): boolean => inputs.every(({ dtype, shape }) => dtype === "f32" && sizeOf(shape) > 0);

/** Normalisation over the last axis by one operator of x and the parameters. */
const norm =
  (op: string) =>
  ({ attrs, inputs, outputs: [output] }: CompositeStep, context: Context): void => {
    const names = inputs.map((input) => context.whole(input).name);
    const name = context.builder.graph.node(op, names, { axis: -1, epsilon: { float: attrs.eps as number } });
    context.store(output!, { name, kind: "f", shape: output!.shape });
  };

export const lowerRmsNorm: (step: CompositeStep, context: Context) => void = norm("RMSNormalization");
export const lowerLayerNorm: (step: CompositeStep, context: Context) => void = norm("LayerNormalization");
