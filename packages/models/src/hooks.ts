import { type BaseLayer, forwardBase, type LayerSpec, type Tensor } from "@weft/tensor-core";

/**
 * Called for every linear layer, embedding and norm of a model, by module path: this is where adapters attach. A hook answers with the layer's
 * result, or with undefined to leave it to the base.
 * @param path module path, as in the Python model: `model.layers.0.self_attn.q_proj`
 * @param layer what the layer is: kind, shape and dtype of its weight
 * @param base its weight and bias; `forwardBase(layer, base, x)` is the layer without the hook
 * @param x input […, in], token ids for an embedding
 */
export type LayerHook = (path: string, layer: LayerSpec, base: BaseLayer, x: Tensor) => Tensor | undefined;

/** Runs a layer through a hook. */
export function runLayer(hook: LayerHook | undefined, path: string, layer: LayerSpec, base: BaseLayer, x: Tensor): Tensor {
  return hook?.(path, layer, base, x) ?? forwardBase(layer, base, x);
}
