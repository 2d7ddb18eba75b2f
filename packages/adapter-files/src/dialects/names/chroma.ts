import type { FamilyNames, NameRow } from "./name-map.js";
import { ATTENTION_INPUTS, bflAttention, bflSingle, IMAGE, pairs, same, type Stream, TEXT } from "./rows.js";

const stream = (original: string, names: Stream): NameRow[] => [
  ...bflAttention(original, names),
  ...pairs(`double_blocks.#.${original}_`, "transformer_blocks.#.", { "mlp.0": `${names.ff}.net.0.proj`, "mlp.2": `${names.ff}.net.2` }),
];

/** Chroma: FLUX.1 whose modulations come from one network. @see diffusers `loaders/single_file_utils.py` convert_chroma_transformer_checkpoint_to_diffusers */
export const CHROMA: FamilyNames = {
  family: "chroma",
  attribute: "transformer",
  classes: ["ChromaTransformer2DModel"],
  inputs: [ATTENTION_INPUTS, [3072]],
  rows: [
    ...stream("img", IMAGE),
    ...stream("txt", TEXT),
    ...bflSingle(),
    ...pairs("single_blocks.#.norm.", "single_transformer_blocks.#.attn.", { query_norm: "norm_q", key_norm: "norm_k" }),
    ...pairs("", "", { img_in: "x_embedder", txt_in: "context_embedder", "final_layer.linear": "proj_out" }),
    ...same("distilled_guidance_layer.in_proj", "distilled_guidance_layer.out_proj", "distilled_guidance_layer.norms.#"),
    ...pairs("distilled_guidance_layer.layers.#.", "distilled_guidance_layer.layers.#.", { in_layer: "linear_1", out_layer: "linear_2" }),
  ],
};
