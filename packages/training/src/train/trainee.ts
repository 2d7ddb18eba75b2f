import type { AdapterParameters, ForwardOptions, HookedModel } from "@weft/registry";

/**
 * What training needs of a model: a `PeftModel` is one, and `fullModel` makes one of a model whose own weights train. Parameters are a tree of tensors; the model is a
 * function of them.
 */
export interface Trainee {
  /** Without what trains. */
  readonly baseModel: HookedModel<never, unknown>;
  /** The tensors that train. */
  parameters(): AdapterParameters;
  /** The same model with other values of them, for a step. */
  withParameters(parameters: AdapterParameters): Trainee;
  /** Puts values of them into the model, for good. */
  setParameters(parameters: AdapterParameters): void;
  forward(inputs: never, options?: ForwardOptions): unknown;
}
