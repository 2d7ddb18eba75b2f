import type { ConvertModule } from "../conversion/convert-module.js";
import { ADAPTER_METADATA, diffusersOf, rankFields } from "@weft/adapter-files/dialects";
import { attributeOf } from "./attribute.js";
import { keptMetadata } from "./kohya-metadata.js";
import { partialDora } from "./lora-config.js";
import { asPeftLora } from "./lora-module.js";
import { namedTensors } from "./named-tensors.js";
import type { ConvertTarget } from "./target.js";

/** diffusers' own files: LoRA only; rank and alpha are in the header, as `save_lora_weights` writes them. */
export const TO_DIFFUSERS: ConvertTarget = {
  name: "diffusers",
  style: "diffusers",
  fit: asPeftLora,
  write(modules, { source, naming }) {
    const { tensors, modules: named, losses } = namedTensors(modules, diffusersOf(attributeOf(modules, naming)), false);
    losses.push(...partsOf(named).flatMap(([, own]) => partialDora(own, "diffusers")));
    const metadata = new Map([...keptMetadata(source.metadata), ["format", "pt"], [ADAPTER_METADATA, adapterMetadata(named)]]);
    return { files: [{ path: "pytorch_lora_weights.safetensors", tensors, metadata, modules: named, hashed: false }], losses };
  },
};

/** Modules by the component that stands in front of their names. */
function partsOf(named: ReadonlyMap<string, ConvertModule>): [component: string, modules: ConvertModule[]][] {
  const parts = new Map<string, ConvertModule[]>();
  for (const [id, module] of named) {
    const component = id.slice(0, id.indexOf("."));
    parts.set(component, [...(parts.get(component) ?? []), module]);
  }
  return [...parts];
}

/** PEFT's config of each component, one field per key. */
function adapterMetadata(named: ReadonlyMap<string, ConvertModule>): string {
  const fields = new Map<string, unknown>();
  for (const [component, modules] of partsOf(named)) {
    const { r, alpha, rankPattern, alphaPattern } = rankFields(modules);
    const values = {
      peft_type: "LORA",
      r,
      lora_alpha: alpha,
      rank_pattern: rankPattern,
      alpha_pattern: alphaPattern,
      target_modules: modules.map(({ path }) => path).toSorted(),
      use_dora: modules.some(({ parameters }) => parameters.has("dora_scale")),
      lora_bias: modules.some(({ parameters }) => parameters.has("lora_up.bias")),
    };
    for (const [field, value] of Object.entries(values)) fields.set(`${component}.${field}`, value);
  }
  return JSON.stringify(Object.fromEntries([...fields].toSorted(([a], [b]) => (a < b ? -1 : 1))), undefined, 2);
}
