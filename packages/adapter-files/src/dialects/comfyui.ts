import type { Dialect } from "./dialect.js";
import { dottedDialect } from "./dotted-dialect.js";
import type { PrefixTable } from "./prefixes.js";
import { DOTTED_SUFFIXES, LYCORIS_SUFFIXES } from "./suffixes.js";

/** ComfyUI's own names of the parts of a checkpoint. @see ComfyUI `comfy/lora.py` */
export const COMFYUI_PREFIXES: PrefixTable = [
  ["diffusion_model.", "denoiser"],
  ["text_encoders.clip_l.transformer.", "te1"],
  ["text_encoders.clip_l.transformer.", "te"],
  ["text_encoders.clip_g.transformer.", "te2"],
  ["text_encoders.t5xxl.transformer.", "te3"],
];

const GENERIC: Dialect = dottedDialect("comfyui", COMFYUI_PREFIXES, DOTTED_SUFFIXES, LYCORIS_SUFFIXES, {
  example: "diffusion_model.double_blocks.0.img_attn.qkv.lora_up.weight",
  includes: [],
});

/** ComfyUI and A1111: the original checkpoint's paths, with LyCORIS's or PEFT's parameters behind. `diff_m` beside a block's modules changes its `modulation`. */
export const COMFYUI: Dialect = { ...GENERIC, readKey: (name) => GENERIC.readKey(name.replace(/\.diff_m$/, ".modulation.diff")) };
