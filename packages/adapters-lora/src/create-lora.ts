import { AdaptedLayer, AdapterGroup, type BaseLayer, type LayerSpec, torchGenerator } from "@weft/tensor-core";
import { initLora } from "./init/init.js";
import { LoraConfig, type LoraConfigFields } from "./lora/config.js";
import { LORA } from "./lora/lora.js";

/** A base layer to adapt: its weight [out, in] (conv [out, in, *kernel], embedding [vocabulary, dim]) and what kind it is. */
export interface LayerInput extends BaseLayer {
  /** `linear` unless said otherwise. */
  readonly kind?: LayerSpec["kind"];
  readonly conv?: LayerSpec["conv"];
}

export interface CreateLoraOptions {
  /** Layers get the numbers that torch would draw for them in this order after `torch.manual_seed(seed)`. */
  readonly seed?: number;
}

/**
 * A new LoRA adapter over layers given by path, initialised as PEFT does; with the default initialisation it changes nothing yet.
 * @throws ConfigError, ShapeError if config and layers do not fit
 */
export async function createLora(
  config: Partial<LoraConfigFields> | LoraConfig,
  layers: { readonly [path: string]: LayerInput },
  options: CreateLoraOptions = {},
): Promise<AdapterGroup<LoraConfigFields>> {
  const checked = config instanceof LoraConfig ? config : new LoraConfig(config);
  const generator = torchGenerator(options.seed ?? 0);
  const adapted = new Map<string, AdaptedLayer<LoraConfigFields>>();
  for (const [path, { kind = "linear", conv, ...base }] of Object.entries(layers)) {
    const layer: LayerSpec = {
      kind,
      shape: base.weight.shape,
      dtype: base.weight.dtype,
      bias: base.bias !== undefined,
      transposed: checked.fanInFanOut && kind === "linear",
      ...(conv && { conv }),
    };
    const { params, weight } = await initLora(checked, layer, generator, base.weight);
    adapted.set(path, new AdaptedLayer(LORA, checked, layer, weight ? { ...base, weight } : base, params));
  }
  return new AdapterGroup(adapted);
}
