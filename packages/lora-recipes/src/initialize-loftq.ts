import { loftqFactors, type Quantise } from "@weft/adapters-lora/starts";
import { throwIfAborted } from "@weft/tensor-core";
import type { PeftModel } from "@weft/registry";
import { applyStart, type Start } from "./apply-start.js";
import { type StartOptions, startTarget } from "./start.js";

export interface LoftQOptions extends StartOptions {
  /** Any quantiser in place of NF4 or int8: `roundTrip(format)` of `@weft/quant-nf4-awq` is one for each of its formats. */
  readonly quantise?: Quantise;
}

/**
 * Gives a LoRA the start of LoftQ: the base becomes what quantising leaves of it, and the factors make up for the loss. `loftq_config` in the adapter's config
 * says how many bits and rounds. Its file is for the quantised base.
 * @throws ConfigError if the adapter is no new, plain LoRA; CapabilityError for layers that are not linear; CancelledError
 */
export async function initializeLoraLoftQWeights(peft: PeftModel<never, unknown>, options: LoftQOptions = {}): Promise<void> {
  const target = startTarget(peft, "LoftQ", options);
  const starts = new Map<string, Start>();
  for (const { path, layer, base, config } of target.layers) {
    throwIfAborted(options.signal);
    const { params, weight } = await loftqFactors(config, layer, base.weight, options.quantise);
    starts.set(path, { factors: params, weight });
    options.onProgress?.(starts.size, target.layers.length);
  }
  const { loftqConfig } = target.state.config.values as { readonly loftqConfig: object };
  applyStart(peft, target, starts, { initLoraWeights: "loftq", loftqConfig: { loftqBits: 4, loftqIter: 1, ...loftqConfig } });
}
