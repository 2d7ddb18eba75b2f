import type { FamilyNames } from "./name-map.js";
import { embedder, pairs, same } from "./rows.js";

const attention = (original: string, diffusers: string): ReturnType<typeof pairs> =>
  pairs(`blocks.#.${original}.`, `blocks.#.${diffusers}.`, {
    q: "to_q",
    k: "to_k",
    v: "to_v",
    o: "to_out.0",
    norm_q: "norm_q",
    norm_k: "norm_k",
  });

/** Wan 2.1 and 2.2; models that begin with an image have the `_img` projections. @see diffusers `loaders/single_file_utils.py` convert_wan_transformer_to_diffusers */
export const WAN: FamilyNames = {
  family: "wan",
  attribute: "transformer",
  classes: ["WanTransformer3DModel", "WanVACETransformer3DModel", "WanAnimateTransformer3DModel"],
  inputs: [/[._](self_attn|attn1)[._](q|to_q)$/, [1536, 3072, 5120]],
  part: {
    name: "the image input (image to video)",
    modules: /[._](?:k_img|v_img|norm_k_img|add_k_proj|add_v_proj|norm_added_k)$|^(?:img_emb|condition_embedder[._]image_embedder)[._]/,
  },
  rows: [
    ...attention("self_attn", "attn1"),
    ...attention("cross_attn", "attn2"),
    ...pairs("blocks.#.cross_attn.", "blocks.#.attn2.", { k_img: "add_k_proj", v_img: "add_v_proj", norm_k_img: "norm_added_k" }),
    ...pairs("blocks.#.", "blocks.#.", {
      "ffn.0": "ffn.net.0.proj",
      "ffn.2": "ffn.net.2",
      norm3: "norm2",
      modulation: "scale_shift_table",
    }),
    ...same("patch_embedding"),
    ...embedder("text_embedding", "condition_embedder.text_embedder", ["0", "2"]),
    ...embedder("time_embedding", "condition_embedder.time_embedder", ["0", "2"]),
    ...pairs("", "", {
      "time_projection.1": "condition_embedder.time_proj",
      "head.head": "proj_out",
      "head.modulation": "scale_shift_table",
    }),
    ...pairs("img_emb.proj.", "condition_embedder.image_embedder.", { 0: "norm1", 1: "ff.net.0.proj", 3: "ff.net.2", 4: "norm2" }),
  ],
};
