import type { Dialect } from "./dialect.js";
import { PEFT_LORA_SUFFIXES, splitSuffix, suffixOf, type SuffixTable } from "./suffixes.js";

const PREFIX = "base_model.model.";

/** PEFT keeps LyCORIS's names for LoHa and LoKr. */
const SUFFIXES: SuffixTable = new Map([
  ...PEFT_LORA_SUFFIXES,
  ...["lora_embedding_A", "lora_embedding_B"].map((name) => [name, name] as const),
  ...["hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b", "hada_t1", "hada_t2"].map((name) => [name, name] as const),
  ...["lokr_w1", "lokr_w1_a", "lokr_w1_b", "lokr_w2", "lokr_w2_a", "lokr_w2_b", "lokr_t2"].map((name) => [name, name] as const),
]);

/** Hugging Face PEFT. Its files need the `adapter_config.json` beside them, and are read by `parseKey`; here are its names for writing. */
export const PEFT: Dialect = {
  name: "peft",
  example: "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight",
  includes: [],
  readKey(name) {
    const suffix = name.startsWith(PREFIX) ? splitSuffix(name.slice(PREFIX.length), SUFFIXES) : undefined;
    return suffix && { ...suffix, component: "model", path: suffix.module, flat: false };
  },
  writeKey(_component, path, parameter) {
    const suffix = suffixOf(SUFFIXES, parameter);
    return suffix === undefined ? undefined : `${PREFIX}${path}.${suffix}`;
  },
};
