import type { Dialect } from "./dialect.js";
import { namingOf } from "./names/families.js";
import { LYCORIS_SUFFIXES, PEFT_LORA_SUFFIXES, splitSuffix, type SuffixTable } from "./suffixes.js";

const SUFFIXES: SuffixTable = new Map([...LYCORIS_SUFFIXES, ...PEFT_LORA_SUFFIXES]);

/**
 * Paths of the denoiser itself, with nothing in front: DiffSynth-Studio's files, and others that were saved from the model alone. Only names of a family
 * that is known are taken for that.
 */
export const OWN_PATHS: Dialect = {
  name: "own-paths",
  example: "blocks.0.self_attn.q.lora_A.weight",
  includes: ["peft", "kohya", "lycoris", "diffusers", "diffusers-middle", "diffusers-old", "comfyui", "ai-toolkit", "onetrainer", "xlabs"],
  isVague: (keys) => namingOf(keys).candidates.length === 0,
  readKey(name) {
    const suffix = splitSuffix(name, SUFFIXES);
    return suffix && { module: suffix.module, component: "denoiser", path: suffix.module, flat: false, parameter: suffix.parameter };
  },
};
