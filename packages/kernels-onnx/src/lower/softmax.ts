import { type CompositeCall, sizeOf } from "@weft/tensor-core";
import type { CompositeStep, Context } from "./context.js";

export const claimsSoftmax = ({ inputs: [x] }: CompositeCall): boolean => x!.dtype === "f32" && sizeOf(x!.shape) > 0;

export function lowerSoftmax({ inputs: [x], outputs: [output] }: CompositeStep, context: Context): void {
  const name = context.builder.graph.node("Softmax", [context.whole(x!).name], { axis: -1 });
  context.store(output!, { name, kind: "f", shape: output!.shape });
}
