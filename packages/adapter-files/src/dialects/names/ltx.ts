import type { FamilyNames } from "./name-map.js";
import { ATTENTION_INPUTS, pairs, same } from "./rows.js";

const BLOCK = "transformer_blocks.#.";

/** LTX-Video. @see diffusers `loaders/single_file_utils.py` convert_ltx_transformer_checkpoint_to_diffusers */
export const LTX: FamilyNames = {
  family: "ltx",
  attribute: "transformer",
  classes: ["LTXVideoTransformer3DModel"],
  inputs: [ATTENTION_INPUTS, [2048, 4096]],
  rows: [
    ...["attn1", "attn2"].flatMap((name) => [
      ...same(...["to_q", "to_k", "to_v", "to_out.0"].map((projection) => `${BLOCK}${name}.${projection}`)),
      ...pairs(`${BLOCK}${name}.`, `${BLOCK}${name}.`, { q_norm: "norm_q", k_norm: "norm_k" }),
    ]),
    ...same(...["ff.net.0.proj", "ff.net.2", "scale_shift_table"].map((name) => BLOCK + name)),
    ...same("proj_out", "scale_shift_table", "caption_projection.linear_1", "caption_projection.linear_2"),
    ...pairs("", "", { patchify_proj: "proj_in" }),
    ...pairs("adaln_single.", "time_embed.", {
      "emb.timestep_embedder.linear_1": "emb.timestep_embedder.linear_1",
      "emb.timestep_embedder.linear_2": "emb.timestep_embedder.linear_2",
      linear: "linear",
    }),
  ],
};
