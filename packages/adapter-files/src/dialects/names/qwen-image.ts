import type { FamilyNames } from "./name-map.js";
import { ATTENTION_INPUTS, ADDED_QKV, QKV, same } from "./rows.js";

const ATTENTION = [...QKV, ...ADDED_QKV, "to_out.0", "to_add_out", "norm_q", "norm_k", "norm_added_q", "norm_added_k"];
const STREAM = ["mod.1", "mlp.net.0.proj", "mlp.net.2"];

/** Qwen-Image, and its editing models: one kind of names only. @see diffusers `models/transformers/transformer_qwenimage.py` */
export const QWEN_IMAGE: FamilyNames = {
  family: "qwen-image",
  attribute: "transformer",
  classes: ["QwenImageTransformer2DModel", "QwenImageControlNetModel"],
  inputs: [ATTENTION_INPUTS, [3072]],
  rows: same(
    ...ATTENTION.map((name) => `transformer_blocks.#.attn.${name}`),
    ...["img", "txt"].flatMap((stream) => STREAM.map((name) => `transformer_blocks.#.${stream}_${name}`)),
    "time_text_embed.timestep_embedder.linear_1",
    "time_text_embed.timestep_embedder.linear_2",
    "txt_norm",
    "img_in",
    "txt_in",
    "norm_out.linear",
    "proj_out",
  ),
};
