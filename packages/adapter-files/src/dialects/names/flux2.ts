import type { FamilyNames, NameRow } from "./name-map.js";
import { ATTENTION_INPUTS, bflAttention, embedder, IMAGE, pairs, type Stream, TEXT } from "./rows.js";

const LAYERS = ["in_layer", "out_layer"] as const;

const stream = (original: string, names: Stream): NameRow[] => [
  ...bflAttention(original, names),
  ...pairs(`double_blocks.#.${original}_`, "transformer_blocks.#.", {
    "mlp.0": `${names.ff}.linear_in`,
    "mlp.2": `${names.ff}.linear_out`,
  }),
];

/** FLUX.2: single blocks keep their fused projection. @see diffusers `loaders/single_file_utils.py` convert_flux2_transformer_checkpoint_to_diffusers */
export const FLUX2: FamilyNames = {
  family: "flux2",
  attribute: "transformer",
  classes: ["Flux2Transformer2DModel"],
  inputs: [ATTENTION_INPUTS, [3072, 4096, 6144]],
  rows: [
    ...stream("img", IMAGE),
    ...stream("txt", TEXT),
    ...pairs("single_blocks.#.", "single_transformer_blocks.#.attn.", {
      linear1: "to_qkv_mlp_proj",
      linear2: "to_out",
      "norm.query_norm": "norm_q",
      "norm.key_norm": "norm_k",
    }),
    ...pairs("", "", {
      img_in: "x_embedder",
      txt_in: "context_embedder",
      "final_layer.linear": "proj_out",
      "single_stream_modulation.lin": "single_stream_modulation.linear",
      "double_stream_modulation_img.lin": "double_stream_modulation_img.linear",
      "double_stream_modulation_txt.lin": "double_stream_modulation_txt.linear",
    }),
    ...embedder("time_in", "time_guidance_embed.timestep_embedder", LAYERS),
    ...embedder("guidance_in", "time_guidance_embed.guidance_embedder", LAYERS),
    { original: "final_layer.adaLN_modulation.1", diffusers: "norm_out.linear", swapped: true },
  ],
};
