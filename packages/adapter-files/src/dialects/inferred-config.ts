import type { WeightSource } from "@weft/io-safetensors";
import type { OpenAdapterOptions } from "../opened-adapter.js";
import { missingConfig } from "./alpha-errors.js";
import { PEFT } from "./peft.js";
import { rankFields } from "./rank-fields.js";

/**
 * PEFT's config of a LoRA as its tensors show it, for a file that has lost its own: ranks from the shapes, one alpha for all modules, which no
 * shape tells.
 * @throws FormatError kind `missing-config` without an alpha, and for other methods than LoRA
 */
export function inferredConfig(
  weights: WeightSource,
  { alpha, assumeAlpha = false }: Pick<OpenAdapterOptions, "alpha" | "assumeAlpha">,
): { readonly [field: string]: unknown } {
  const modules: { path: string; rank: number; scale: number }[] = [];
  const parameters = new Set<string>();
  for (const name of weights.names()) {
    const key = PEFT.readKey(name);
    if (!key) continue;
    parameters.add(key.parameter);
    if (key.parameter !== "lora_down.weight" && key.parameter !== "lora_embedding_A") continue;
    modules.push({ path: key.path, rank: weights.info(name).shape[0]!, scale: 1 });
  }
  if (modules.length === 0 || (alpha === undefined && !assumeAlpha)) throw missingConfig(weights, "PEFT's keys", "rank and alpha");
  const { r, rankPattern } = rankFields(modules);
  return {
    peft_type: "LORA",
    r,
    rank_pattern: rankPattern,
    lora_alpha: alpha ?? r,
    use_dora: parameters.has("dora_scale"),
    lora_bias: parameters.has("lora_up.bias"),
    target_modules: modules.map(({ path }) => path),
  };
}
