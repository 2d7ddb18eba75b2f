import { getPeftModel } from "./get-peft-model.js";
import type { HookedModel, LayerHook } from "./hooked-model.js";
import type { ConfigInput, NewAdapterOptions } from "./new-adapter.js";
import type { PeftModel } from "./peft-model.js";

/** A model that has an adapter in it, and the `PeftModel` by which the adapter is trained, switched and saved. */
export interface InjectedAdapter<I, O> {
  readonly model: HookedModel<I, O>;
  readonly peft: PeftModel<I, O>;
}

/**
 * Puts a new adapter into a model, as PEFT's `inject_adapter_in_model`: what comes back looks like the model, for code that takes models, and follows
 * whatever happens to `peft`. Modules are named in `target_modules` by suffix (a list), by regular expression (a string), by `glob("…")`, or
 * all linear ones (`"all-linear"`).
 * @throws ConfigError
 */
export async function injectAdapter<I, O>(
  model: HookedModel<I, O>,
  config: ConfigInput,
  options: NewAdapterOptions & { readonly adapterName?: string },
): Promise<InjectedAdapter<I, O>> {
  const peft = await getPeftModel(model, config, options);
  return { model: asModel(model, peft), peft };
}

function asModel<I, O>(base: HookedModel<I, O>, peft: PeftModel<I, O>): HookedModel<I, O> {
  return {
    ...(base.config && { config: base.config }),
    weights: base.weights,
    ...(base.mirror && { mirror: base.mirror.bind(base) }),
    layers: () => base.layers(),
    namedModules: () => base.namedModules(),
    withWeights: (changes) => asModel(base.withWeights(changes), peft.over(base.withWeights(changes))),
    forward: (inputs: I, hook?: LayerHook) => peft.forward(inputs, hook ? { hook } : {}),
  };
}
