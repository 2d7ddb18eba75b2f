import { flatDialect } from "./flat-dialect.js";
import type { PrefixTable } from "./prefixes.js";

/** @see kohya-ss/sd-scripts `networks/lora.py`, `lora_flux.py`, `lora_sd3.py` */
export const KOHYA_PREFIXES: PrefixTable = [
  ["lora_unet_", "denoiser"],
  // Wan-Fun's files have two underscores.
  ["lora_unet__", "denoiser"],
  ["lora_te_", "te"],
  ["lora_te1_", "te1"],
  ["lora_te2_", "te2"],
  ["lora_te3_", "te3"],
  ["lora_prior_unet_", "prior"],
  ["lora_prior_te_", "priorTe"],
  ["oft_unet_", "denoiser"],
];

/** kohya-ss/sd-scripts and everything that writes its names; with any of LyCORIS's parameters. */
export const KOHYA: ReturnType<typeof flatDialect> = flatDialect("kohya", KOHYA_PREFIXES, {
  example: "lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight",
  includes: [],
});
