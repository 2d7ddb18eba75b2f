import type { FamilyNames, NameRow } from "./name-map.js";
import { ATTENTION_INPUTS, pairs, QKV, same } from "./rows.js";

const block = (name: string): NameRow[] => [
  { original: `${name}.#.attention.qkv`, diffusers: QKV.map((projection) => `${name}.#.attention.${projection}`) },
  ...pairs(`${name}.#.attention.`, `${name}.#.attention.`, { out: "to_out.0", q_norm: "norm_q", k_norm: "norm_k" }),
  ...same(
    ...["feed_forward.w1", "feed_forward.w2", "feed_forward.w3", "attention_norm1", "attention_norm2", "ffn_norm1", "ffn_norm2"].map(
      (part) => `${name}.#.${part}`,
    ),
  ),
];

/** Z-Image. @see diffusers `loaders/single_file_utils.py` convert_z_image_transformer_checkpoint_to_diffusers */
export const Z_IMAGE: FamilyNames = {
  family: "z-image",
  attribute: "transformer",
  classes: ["ZImageTransformer2DModel"],
  inputs: [ATTENTION_INPUTS, [3840]],
  rows: [
    ...["layers", "noise_refiner", "context_refiner"].flatMap(block),
    ...same("layers.#.adaLN_modulation.0", "noise_refiner.#.adaLN_modulation.0"),
    ...same("t_embedder.mlp.0", "t_embedder.mlp.2", "cap_embedder.0", "cap_embedder.1", "x_pad_token", "cap_pad_token"),
    ...pairs("", "", { x_embedder: "all_x_embedder.2-1" }),
    ...pairs("final_layer.", "all_final_layer.2-1.", { linear: "linear", "adaLN_modulation.1": "adaLN_modulation.1" }),
  ],
};
