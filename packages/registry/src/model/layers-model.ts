import { CapabilityError, type SpecifiedLayer, type Tensor } from "@weft/tensor-core";
import type { HookedLayer, HookedModel } from "./hooked-model.js";

/** Layers by path as a model that adapters attach to. It has no forward: each layer has its own. */
export function layersModel(
  layers: ReadonlyMap<string, SpecifiedLayer>,
  changes: ReadonlyMap<string, Tensor> = new Map(),
): HookedModel<never, never> {
  const own = [...layers].map(([path, { layer, base }]): HookedLayer => {
    const [weight, bias] = [changes.get(`${path}.weight`) ?? base.weight, changes.get(`${path}.bias`) ?? base.bias];
    return { path, layer, base: { ...base, weight, bias } };
  });
  return {
    weights: new Map(
      own.flatMap(({ path, base }) => [
        [`${path}.weight`, base.weight] as const,
        ...(base.bias ? [[`${path}.bias`, base.bias] as const] : []),
      ]),
    ),
    layers: () => own,
    namedModules: () => own.map(({ path, layer }) => [path, { kind: layer.kind }] as const),
    withWeights: (more) => layersModel(layers, new Map([...changes, ...more])),
    forward() {
      throw new CapabilityError("these are single layers, not a model: there is no forward through all of them", {
        hint: "run each by AdapterGroup.forward",
      });
    },
  };
}
