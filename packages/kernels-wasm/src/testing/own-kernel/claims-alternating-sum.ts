import type { CompositeCall } from "@weft/tensor-core";

export function claimsAlternatingSum({ inputs }: CompositeCall): boolean {
  return inputs[0]!.dtype === "f32";
}
