import { forwardBase, sizeOf, type Tensor, tensor, torchGenerator, torchNormal } from "@weft/tensor-core";
import type { HookedModel } from "../model/hooked-model.js";

/** Normal values of standard deviation 0.5. */
export const drawn = (shape: readonly number[], seed: number): Tensor =>
  tensor(torchNormal(torchGenerator(seed), sizeOf(shape), 0, 0.5), { shape });

/** One linear layer without a bias, in the form that `PeftModel` asks for and nothing more. */
export function oneLayer(weight: Tensor): HookedModel<Tensor, Tensor> {
  const layer = { kind: "linear", shape: weight.shape, dtype: "f32", bias: false } as const;
  return {
    weights: new Map([["fc.weight", weight]]),
    layers: () => [{ path: "fc", layer, base: { weight } }],
    namedModules: () => [["fc", { kind: "linear" }]],
    withWeights: (changes) => oneLayer(changes.get("fc.weight") ?? weight),
    forward: (x, hook) => hook?.("fc", layer, { weight }, x) ?? forwardBase(layer, { weight }, x),
  };
}
