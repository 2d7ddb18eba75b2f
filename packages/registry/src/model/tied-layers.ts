import { isTokens } from "./trainable-tokens.js";
import type { Tensor } from "@weft/tensor-core";
import type { AdapterState } from "./adapter-state.js";
import { type HookedLayer, type HookedModel, weightName } from "./hooked-model.js";

/** The input embedding and the output layer of a model that have one weight. */
export function tiedLayers(model: HookedModel<never, unknown>): readonly [embedding: HookedLayer, head: HookedLayer] | undefined {
  const layers = [...model.layers()];
  for (const embedding of layers.filter(({ layer }) => layer.kind === "embedding")) {
    const head = layers.find(({ layer, base }) => layer.kind === "linear" && base.weight === embedding.base.weight);
    if (head) return [embedding, head];
  }
  return undefined;
}

/**
 * An adapter as it acts on a model with tied embeddings, where the model would let one follow the other: tokens that were trained on the embedding
 * are the head's, too, below what else is on it; anything else that changes the embedding leaves the head's weight as it was, unless
 * `ensure_weight_tying` asks for both.
 * @see peft `utils/other.py` set_additional_trainable_modules
 */
export function actingState(model: HookedModel<never, unknown>, state: AdapterState): AdapterState {
  const pair = tiedLayers(model);
  if (!pair) return state;
  const [embedding, head] = pair;
  const [own, others] = [state.layers.get(embedding.path) ?? [], state.layers.get(head.path) ?? []];
  const tokens = own.find(isTokens);
  const layers = new Map(state.layers);
  if (tokens && !others.some(isTokens))
    layers.set(head.path, [
      { ...tokens, context: { ...tokens.context, layer: { ...head.layer, shape: tokens.context.layer.shape } } },
      ...others,
    ]);
  const name = weightName(head);
  const { ensureWeightTying } = state.config.values as { readonly ensureWeightTying?: boolean };
  const alone = state.replaced.has(weightName(embedding)) || own.some((attached) => !isTokens(attached));
  const kept: [string, Tensor][] = alone && !ensureWeightTying && !state.replaced.has(name) ? [[name, head.base.weight]] : [];
  return { ...state, layers, expected: new Map([...kept, ...state.expected]) };
}
