import type { Dialect } from "./dialect.js";
import { NORM_SCALE } from "./names/flux.js";
import { namingOf } from "./names/families.js";
import { DOTTED_SUFFIXES, splitSuffix } from "./suffixes.js";

/**
 * Paths of the denoiser itself, with nothing in front: DiffSynth-Studio's files, and others that were saved from the model alone. Only names of a family
 * that is known are taken for that. Black Forest Labs' control LoRAs bring norms of their own.
 */
export const OWN_PATHS: Dialect = {
  name: "own-paths",
  example: "blocks.0.self_attn.q.lora_A.weight",
  includes: ["peft", "kohya", "lycoris", "diffusers", "diffusers-middle", "diffusers-old", "comfyui", "ai-toolkit", "onetrainer", "xlabs"],
  isVague: (keys) => namingOf(keys).candidates.length === 0,
  isWhole: (name) => name.endsWith(NORM_SCALE),
  readKey(name) {
    const suffix = splitSuffix(name, DOTTED_SUFFIXES);
    return suffix && { module: suffix.module, component: "denoiser", path: suffix.module, flat: false, parameter: suffix.parameter };
  },
};
