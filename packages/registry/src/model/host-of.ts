import type { Tensor } from "@weft/tensor-core";
import type { AdapterHost } from "../attach.js";
import { type HookedModel, layersOf, weightName } from "./hooked-model.js";

/** A model as `attachAdapter` sees it for a method; a tied layer has a weight under its own name as well. */
export function hostOf(model: HookedModel<never, unknown>, method: { readonly wholes?: boolean } | undefined): AdapterHost {
  const layers = new Map(layersOf(model, method).map((found) => [found.path, found]));
  const tensors = new Map(model.weights);
  for (const found of layers.values()) if (!tensors.has(weightName(found))) tensors.set(weightName(found), found.base.weight);
  const tensor = (name: string): Tensor | undefined => tensors.get(name);
  const kind = model.config?.modelType === undefined ? undefined : { model_type: model.config.modelType };
  return {
    kind,
    layer: (path) => layers.get(path)?.layer,
    tensor,
    values: tensor,
    names: () => tensors.keys(),
    order: () => layers.keys(),
  };
}
