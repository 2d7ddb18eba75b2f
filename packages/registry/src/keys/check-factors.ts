import { ConfigError } from "@weft/tensor-core";
import type { AdapterModule } from "../open-adapter.js";

/** Parameters that are nothing without each other, by the names behind the module. */
const PAIRS: readonly (readonly [string, string])[] = [
  ["lora_A.weight", "lora_B.weight"],
  ["lora_A", "lora_B"],
  ["lora_embedding_A", "lora_embedding_B"],
  ["hada_w1_a", "hada_w1_b"],
  ["hada_w2_a", "hada_w2_b"],
  ["lokr_w1_a", "lokr_w1_b"],
  ["lokr_w2_a", "lokr_w2_b"],
];

/**
 * Refuses a module one of whose two factors is missing: a product needs both. What else a method needs shows where the base is known.
 * @throws ConfigError kind `missing-tensor`
 */
export function checkFactors(modules: Iterable<AdapterModule>, file: string): void {
  for (const { path, tensors } of modules)
    for (const pair of PAIRS)
      for (const [has, lacks] of [pair, pair.toReversed() as [string, string]]) {
        const found = tensors.get(has);
        if (!found || tensors.has(lacks)) continue;
        throw new ConfigError(`${path}: ${has} is in the file, its partner ${lacks} is not`, {
          kind: "missing-tensor",
          tensor: found.name,
          file,
          hint: "the adapter is incomplete: was it saved by a single process of several, or cut when it was copied?",
        });
      }
}
