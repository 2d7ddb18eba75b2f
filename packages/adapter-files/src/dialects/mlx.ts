import type { Dialect } from "./dialect.js";
import { splitSuffix, type SuffixTable, suffixOf } from "./suffixes.js";

/** Factors lie transposed in the file: `lora_a` [in, r], `lora_b` [r, out]. */
const SUFFIXES: SuffixTable = new Map([
  ["lora_a", "lora_down.weight"],
  ["lora_b", "lora_up.weight"],
  ["m", "dora_scale"],
]);

/** Parameters that are the transposed of LyCORIS's. */
export const MLX_TRANSPOSED: ReadonlySet<string> = new Set(["lora_down.weight", "lora_up.weight"]);

/** mlx-lm: `adapters.safetensors`, with rank and scale in its own kind of `adapter_config.json`. @see mlx-lm `tuner/lora.py`, `tuner/utils.py` */
export const MLX: Dialect = {
  name: "mlx",
  example: "model.layers.0.self_attn.q_proj.lora_a",
  includes: [],
  readKey(name) {
    const suffix = splitSuffix(name, SUFFIXES);
    return suffix && { module: suffix.module, component: "model", path: suffix.module, flat: false, parameter: suffix.parameter };
  },
  writeKey(component, path, parameter) {
    const suffix = suffixOf(SUFFIXES, parameter);
    return component === "model" && suffix !== undefined ? `${path}.${suffix}` : undefined;
  },
};
