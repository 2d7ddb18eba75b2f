import type { CompositeCall } from "@weft/tensor-core";
import type { CompositeStep, Context } from "./context.js";

export const claimsSwiglu = ({ inputs: [gate] }: CompositeCall): boolean => gate!.dtype === "f32";

/** silu(gate)·up: the runtime's QuickGelu, x·sigmoid(α·x), with α = 1. */
export function lowerSwiglu({ inputs: [gate, up], outputs: [output] }: CompositeStep, context: Context): void {
  const { builder: b } = context;
  const name = b.graph.node("QuickGelu", [context.whole(gate!).name], { alpha: { float: 1 } }, "com.microsoft");
  context.store(output!, b.elementwise("Mul", "f", [{ name, kind: "f", shape: gate!.shape }, context.whole(up!)]));
}
