import type { CheckOptions, LongCallOptions, MethodTable } from "@weft/tensor-core";
import type { PromptSource } from "@weft/tensor-core/prompt";
import type { AdapterState } from "./adapter-state.js";
import type { Experts } from "./expert-state.js";
import type { HookedModel } from "./hooked-model.js";

/** A config: of one of the config classes, or PEFT's JSON or camelCase with `peft_type`. */
export type ConfigInput = { readonly peftType: string } | { readonly peft_type: string };

/** `onProgress` counts layers. */
export interface NewAdapterOptions extends PromptSource, LongCallOptions, CheckOptions {
  /** Parameters get the numbers that torch would draw after `torch.manual_seed(seed)`. */
  readonly seed?: number;
  /** What `peft_type` may be. */
  readonly methods: MethodTable;
  /** The adapters that the new one mixes, opened, by their names in its config (X-LoRA). */
  readonly experts?: Experts | undefined;
}

/**
 * A new adapter on the modules of a model that its config names, initialised as PEFT does.
 * @throws ConfigError if the method is not defined, nothing matches, or a module is not of a kind that the method takes
 */
export async function newAdapter(
  model: HookedModel<never, unknown>,
  input: ConfigInput,
  options: NewAdapterOptions,
): Promise<AdapterState> {
  return (await import("./on-demand.js")).newState(model, input, options);
}
