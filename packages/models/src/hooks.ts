import { type BaseLayer, forwardBase, type LayerSpec, type Tensor } from "@weft/tensor-core";

/**
 * Called for every linear, convolution, embedding and norm of a model, by module path. A hook may answer with the layer's
 * result (this is where adapters attach), or with undefined to leave it to the base.
 */
export type LayerHook = (path: string, layer: LayerSpec, base: BaseLayer, x: Tensor) => Tensor | undefined;

/** Runs a layer through a hook. */
export function runLayer(hook: LayerHook | undefined, path: string, layer: LayerSpec, base: BaseLayer, x: Tensor): Tensor {
  return hook?.(path, layer, base, x) ?? forwardBase(layer, base, x);
}
