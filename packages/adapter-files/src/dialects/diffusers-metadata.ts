import { ConfigError, type MethodTable } from "@weft/tensor-core";
import type { WeightSource } from "@weft/io-safetensors";
import { parseConfigJson } from "../config/json.js";
import { readAdapterConfig } from "../config/read-config.js";
import { createModuleConfig, type PatternedConfig } from "../matching/pattern-key.js";
import { prepareRegex } from "../matching/prepare-regex.js";
import { ADAPTER_METADATA } from "./diffusers.js";

/** What a header says of one module. */
export interface HeaderConfig {
  readonly loraAlpha: number;
}

interface LoraValues {
  readonly r: number;
  readonly loraAlpha: number;
  readonly useRslora: boolean;
}

/** Where finetrainers keeps PEFT's fields, of the denoiser alone. @see finetrainers `trainer/sft_trainer` */
const LORA_CONFIG = "lora_config";

/** PEFT's configs in a header, and the entry that they are; undefined if it has none. */
export function headerText(metadata: ReadonlyMap<string, string>): readonly [entry: string, text: string] | undefined {
  const text = metadata.get(ADAPTER_METADATA);
  if (text !== undefined) return [ADAPTER_METADATA, text];
  const own = metadata.get(LORA_CONFIG);
  return own?.includes('"lora_alpha"') ? [LORA_CONFIG, own] : undefined;
}

/**
 * The configs in a file's header: diffusers' JSON object of PEFT's fields with the component in front (`unet.lora_alpha`), or finetrainers' without.
 * @returns alpha by a module's name with its component; rsLoRA's √r is worked in. Undefined if the header has none
 * @throws ConfigError kinds `config-json`, `config-schema`, `duplicate-key`, `limit`
 */
export async function headerConfigs(
  weights: WeightSource,
  methods: MethodTable,
): Promise<((module: string) => HeaderConfig | undefined) | undefined> {
  const header = headerText(weights.metadata);
  if (!header) return undefined;
  const [entry, text] = header;
  const fields = new Map<string, Record<string, unknown>>();
  for (const [key, value] of Object.entries(parseConfigJson(text, weights.location))) {
    const dot = key.indexOf(".");
    const component = dot < 0 ? "" : key.slice(0, dot);
    const config = fields.get(component) ?? (Object.create(null) as Record<string, unknown>);
    fields.set(component, config);
    config[key.slice(dot + 1)] = value;
  }
  const configs = new Map<string, (path: string) => LoraValues>();
  for (const [component, config] of fields) {
    if ((config.peft_type ?? "LORA") !== "LORA")
      throw new ConfigError(`${weights.location}: ${entry} is of ${String(config.peft_type)}, expected LORA`, {
        kind: "config-schema",
        file: weights.location,
      });
    const read = readAdapterConfig({ ...config, peft_type: "LORA" }, { methods, file: weights.location });
    await prepareRegex(read);
    configs.set(component, createModuleConfig(read as unknown as PatternedConfig<LoraValues>));
  }
  return (module) => {
    const dot = module.indexOf(".");
    const [component, path] = [module.slice(0, dot), module.slice(dot + 1)];
    const own = configs.get(component);
    const values = own ? own(path) : configs.get("")?.(module);
    if (!values) return undefined;
    const { r, loraAlpha, useRslora } = values;
    return { loraAlpha: useRslora ? loraAlpha * Math.sqrt(r) : loraAlpha };
  };
}
