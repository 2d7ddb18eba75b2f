import { ConfigError, forwardBase, type Tensor } from "@weft/tensor-core";
import type { HookedModel, LayerHook } from "@weft/registry";

/** Runs a model, with or without adapters, through a hook around its layers. */
export type Run = (inputs: { readonly [name: string]: Tensor }, hook: LayerHook) => unknown;

/** A pass up to the output layer, which is left to whoever needs some of the logits. */
export interface Headless {
  /** What the output layer is given, [batch, virtual + length, hidden]. */
  readonly hidden: Tensor;
  /** The output layer with its adapters: […, hidden] → […, vocabulary]. */
  head(x: Tensor): Tensor;
}

/** The path of the layer that gives the logits. @throws ConfigError if the model has none */
export function headPath(model: HookedModel<never, unknown>): string {
  for (const [path, { outputEmbedding }] of model.namedModules()) if (outputEmbedding) return path;
  throw new ConfigError("the model has no layer that gives logits, which the loss of a language model is taken of", {
    hint: "train it with an objective of its hidden states: contrastive, cosineSimilarity",
  });
}

/** A pass over a language model whose output layer is not run. */
export function headless(run: Run, path: string, inputs: { readonly [name: string]: Tensor }): Headless {
  let found: Headless | undefined;
  run(inputs, (at, layer, base, x) => {
    if (at === path) found = { hidden: x, head: (rows) => forwardBase(layer, base, rows) };
    return undefined;
  });
  if (!found) throw new ConfigError(`the model's forward did not pass through ${path}`);
  return found;
}
