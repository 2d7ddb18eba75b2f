import { type AdapterGroup, createAdapter, type CreateAdapterOptions, type LayerInput } from "@weft/tensor-core";
import { LoraConfig, type LoraConfigFields } from "./lora/config.js";
import { LORA } from "./lora/lora.js";

/**
 * A new LoRA adapter over layers given by path, initialised as PEFT does; with the default initialisation it changes nothing yet.
 * @throws ConfigError, ShapeError if config and layers do not fit
 */
export async function createLora(
  config: Partial<LoraConfigFields> | LoraConfig,
  layers: { readonly [path: string]: LayerInput },
  options: CreateAdapterOptions = {},
): Promise<AdapterGroup<LoraConfigFields>> {
  return createAdapter(LORA, config instanceof LoraConfig ? config : new LoraConfig(config), layers, options);
}
