import type { Dialect } from "./dialect.js";
import { dottedDialect } from "./dotted-dialect.js";
import { type PrefixTable, splitPrefix } from "./prefixes.js";
import { LORA_LAYER_SUFFIXES, PEFT_LORA_SUFFIXES, splitSuffix, type SuffixTable } from "./suffixes.js";

/** Attributes of a diffusers pipeline. */
export const DIFFUSERS_PREFIXES: PrefixTable = [
  ["unet.", "denoiser"],
  ["transformer.", "denoiser"],
  ["text_encoder.", "te1"],
  ["text_encoder.", "te"],
  ["text_encoder_2.", "te2"],
  ["text_encoder_3.", "te3"],
  ["prior.", "prior"],
];

/** Where adapters without alpha keep PEFT's configs, one field per key: `unet.lora_alpha`. @see diffusers `loaders/lora_base.py` */
export const ADAPTER_METADATA = "lora_adapter_metadata";

/** diffusers since 0.22: PEFT's names under the pipeline's attributes; alpha is in the header, if anywhere. */
export const DIFFUSERS: Dialect = dottedDialect("diffusers", DIFFUSERS_PREFIXES, PEFT_LORA_SUFFIXES, PEFT_LORA_SUFFIXES, {
  example: "unet.down_blocks.0.attentions.0.proj_in.lora_A.weight",
  includes: [],
});

/** The same where the pipeline has its denoiser under this attribute. */
export const diffusersOf = (attribute: "unet" | "transformer"): Dialect => ({
  ...DIFFUSERS,
  writeKey(component, path, parameter) {
    const key = DIFFUSERS.writeKey!(component, path, parameter);
    return component === "denoiser" ? key?.replace(/^unet\./, `${attribute}.`) : key;
  },
});

const MIDDLE_SUFFIXES: SuffixTable = new Map([
  ...PEFT_LORA_SUFFIXES,
  ...LORA_LAYER_SUFFIXES,
  ["lora_linear_layer.down.weight", "lora_down.weight"],
  ["lora_linear_layer.up.weight", "lora_up.weight"],
  ["lora.alpha", "alpha"],
  ["alpha", "alpha"],
]);

/** diffusers 0.18 to 0.21, and what its converters still give. */
export const DIFFUSERS_MIDDLE: Dialect = dottedDialect("diffusers-middle", DIFFUSERS_PREFIXES, MIDDLE_SUFFIXES, undefined, {
  example: "unet.down_blocks.0.attentions.0.proj_in.lora.down.weight",
  includes: ["diffusers"],
});

const PROCESSOR = /^(.*)\.processor\.(to_(?:q|k|v|out)|add_[qkv]_proj|to_add_out)_lora$/;
const TEXT = /^(.*\.self_attn)\.to_(q|k|v|out)_lora$/;

/** The projection that a processor's parameter is for: `to_out_lora` belongs to the first module of `to_out`, a text encoder's `to_q_lora` to `q_proj`. */
function projected(module: string): string | undefined {
  const [, attention, projection] = PROCESSOR.exec(module) ?? [];
  if (attention !== undefined) return `${attention}.${projection === "to_out" ? "to_out.0" : projection}`;
  const [, text, letter] = TEXT.exec(module) ?? [];
  return text === undefined ? undefined : `${text}.${letter}_proj`;
}
const OLD_SUFFIXES: SuffixTable = new Map([
  ["down.weight", "lora_down.weight"],
  ["up.weight", "lora_up.weight"],
  ["alpha", "alpha"],
]);

/** diffusers before 0.18: parameters of attention processors. Files of one UNet have no component in front. */
export const DIFFUSERS_OLD: Dialect = {
  name: "diffusers-old",
  example: "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.processor.to_q_lora.down.weight",
  includes: ["diffusers", "diffusers-middle"],
  readKey(key) {
    const suffix = splitSuffix(key, OLD_SUFFIXES);
    const module = suffix && projected(suffix.module);
    if (module === undefined) return DIFFUSERS_MIDDLE.readKey(key);
    const { component, path } = splitPrefix(module, DIFFUSERS_PREFIXES) ?? { component: "denoiser", path: module };
    return { module, component, path, flat: false, parameter: suffix!.parameter };
  },
};
