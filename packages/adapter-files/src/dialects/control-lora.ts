import type { Dialect } from "./dialect.js";
import { splitSuffix, type SuffixTable } from "./suffixes.js";

/** An empty tensor that marks these files. */
export const CONTROL_LORA_MARK = "lora_controlnet";

const SUFFIXES: SuffixTable = new Map([
  ["down", "lora_down.weight"],
  ["up", "lora_up.weight"],
]);

/** Stability's control-LoRAs: low-rank copies of a UNet's encoder; what has no `.up` replaces the tensor of that name. */
export const CONTROL_LORA: Dialect = {
  name: "control-lora",
  example: "input_blocks.1.0.in_layers.2.down",
  includes: [],
  claims: ({ has }) => (has(CONTROL_LORA_MARK) ? `it holds the mark ${CONTROL_LORA_MARK}` : undefined),
  isVague: () => true,
  isWhole: (name) => /\.(weight|bias)$/.test(name),
  readKey(name) {
    const suffix = splitSuffix(name, SUFFIXES);
    return suffix && { module: suffix.module, component: "denoiser", path: suffix.module, flat: false, parameter: suffix.parameter };
  },
};
