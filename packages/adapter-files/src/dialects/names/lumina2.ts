import type { FamilyNames, NameRow } from "./name-map.js";
import { ATTENTION_INPUTS, embedder, pairs, QKV, same } from "./rows.js";

/** 24 heads of queries, 8 of keys and values. */
const SIZES = [3, 1, 1];

const block = (name: string): NameRow[] => [
  { original: `${name}.#.attention.qkv`, diffusers: QKV.map((projection) => `${name}.#.attn.${projection}`), sizes: SIZES },
  ...pairs(`${name}.#.attention.`, `${name}.#.attn.`, { out: "to_out.0", q_norm: "norm_q", k_norm: "norm_k" }),
  ...pairs(`${name}.#.feed_forward.`, `${name}.#.feed_forward.`, { w1: "linear_1", w2: "linear_2", w3: "linear_3" }),
  ...pairs(`${name}.#.`, `${name}.#.`, { attention_norm2: "norm2" }),
  ...same(`${name}.#.ffn_norm1`, `${name}.#.ffn_norm2`),
];

const modulated = (name: string): NameRow[] =>
  pairs(`${name}.#.`, `${name}.#.norm1.`, { attention_norm1: "norm", "adaLN_modulation.1": "linear" });

/** Lumina Image 2. @see diffusers `loaders/single_file_utils.py` convert_lumina2_to_diffusers */
export const LUMINA2: FamilyNames = {
  family: "lumina2",
  attribute: "transformer",
  classes: ["Lumina2Transformer2DModel"],
  inputs: [ATTENTION_INPUTS, [2304]],
  rows: [
    ...["layers", "noise_refiner", "context_refiner"].flatMap(block),
    ...["layers", "noise_refiner"].flatMap(modulated),
    ...pairs("context_refiner.#.", "context_refiner.#.", { attention_norm1: "norm1" }),
    ...same("x_embedder"),
    ...embedder("t_embedder", "time_caption_embed.timestep_embedder", ["mlp.0", "mlp.2"]),
    ...pairs("cap_embedder.", "time_caption_embed.caption_embedder.", { 0: "0", 1: "1" }),
    ...pairs("final_layer.", "norm_out.", { linear: "linear_2", "adaLN_modulation.1": "linear_1" }),
  ],
};
