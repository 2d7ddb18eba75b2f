import { forwardBase, sizeOf, type Tensor, tensor, torchGenerator, torchNormal } from "@weft/tensor-core";
import type { HookedModel } from "../model/hooked-model.js";

/** Normal values of standard deviation 0.5. */
export const drawn = (shape: readonly number[], seed: number): Tensor =>
  tensor(torchNormal(torchGenerator(seed), sizeOf(shape), 0, 0.5), { shape });

/** One linear layer, in the form that `PeftModel` asks for and nothing more. */
export function oneLayer(weight: Tensor, bias?: Tensor): HookedModel<Tensor, Tensor> {
  const layer = { kind: "linear", shape: weight.shape, dtype: "f32", bias: bias !== undefined } as const;
  const base = { weight, bias };
  return {
    weights: new Map([["fc.weight", weight], ...(bias ? [["fc.bias", bias] as const] : [])]),
    layers: () => [{ path: "fc", layer, base }],
    namedModules: () => [["fc", { kind: "linear" }]],
    withWeights: (changes) => oneLayer(changes.get("fc.weight") ?? weight, changes.get("fc.bias") ?? bias),
    forward: (x, hook) => hook?.("fc", layer, base, x) ?? forwardBase(layer, base, x),
  };
}
