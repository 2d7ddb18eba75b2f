import { COMFYUI } from "./comfyui.js";
import type { Dialect } from "./dialect.js";
import { DIFFUSERS_OLD } from "./diffusers.js";
import { flatDialect } from "./flat-dialect.js";
import { KOHYA, KOHYA_PREFIXES } from "./kohya.js";

/** kohya's form over diffusers' names. */
const TRANSFORMER = flatDialect("onetrainer", [["lora_transformer_", "denoiser"], ...KOHYA_PREFIXES], {
  example: "lora_transformer_single_transformer_blocks_0_attn_to_q.lora_down.weight",
  includes: ["kohya", "diffusers", "diffusers-middle", "diffusers-old", "comfyui"],
});

/** OneTrainer and mixtures of trainers: some modules under kohya's names, some under `lora_transformer_`, some with dots. */
export const ONETRAINER: Dialect = {
  name: TRANSFORMER.name,
  example: TRANSFORMER.example,
  includes: TRANSFORMER.includes,
  claims: ({ metadata }) =>
    ["ot_branch", "ot_revision", "ot_config"].some((key) => metadata.has(key)) ? "its metadata is OneTrainer's" : undefined,
  readKey: (name) => TRANSFORMER.readKey(name) ?? KOHYA.readKey(name) ?? DIFFUSERS_OLD.readKey(name) ?? COMFYUI.readKey(name),
};
