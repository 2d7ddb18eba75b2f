import type { FamilyNames, NameRow } from "./name-map.js";
import { ATTENTION_INPUTS, bflAttention, bflSingle, embedder, IMAGE, pairs, type Stream, TEXT } from "./rows.js";

/** How names of norms end that Black Forest Labs' models scale queries and keys by. */
export const NORM_SCALE = "_norm.scale";

const LAYERS = ["in_layer", "out_layer"] as const;

const stream = (original: string, names: Stream): NameRow[] => [
  ...bflAttention(original, names),
  ...pairs(`double_blocks.#.${original}_`, "transformer_blocks.#.", {
    "mlp.0": `${names.ff}.net.0.proj`,
    "mlp.2": `${names.ff}.net.2`,
    "mod.lin": `${names.norm}.linear`,
  }),
];

/** FLUX.1: dev, schnell, Kontext, Fill. @see diffusers `loaders/single_file_utils.py` convert_flux_transformer_checkpoint_to_diffusers */
export const FLUX: FamilyNames = {
  family: "flux",
  attribute: "transformer",
  classes: ["FluxTransformer2DModel", "FluxControlNetModel"],
  inputs: [ATTENTION_INPUTS, [3072]],
  rows: [
    ...stream("img", IMAGE),
    ...stream("txt", TEXT),
    ...bflSingle(),
    ...pairs("single_blocks.#.", "single_transformer_blocks.#.", {
      "modulation.lin": "norm.linear",
      "norm.query_norm": "attn.norm_q",
      "norm.key_norm": "attn.norm_k",
    }),
    ...pairs("", "", { img_in: "x_embedder", txt_in: "context_embedder", "final_layer.linear": "proj_out" }),
    ...embedder("time_in", "time_text_embed.timestep_embedder", LAYERS),
    ...embedder("vector_in", "time_text_embed.text_embedder", LAYERS),
    ...embedder("guidance_in", "time_text_embed.guidance_embedder", LAYERS),
    { original: "final_layer.adaLN_modulation.1", diffusers: "norm_out.linear", swapped: true },
  ],
};
