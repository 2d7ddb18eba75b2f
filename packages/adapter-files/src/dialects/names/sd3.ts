import type { FamilyNames, NameRow } from "./name-map.js";
import { ATTENTION_INPUTS, embedder, IMAGE, pairs, QKV, type Stream, TEXT } from "./rows.js";

const stream = (original: string, { attention, out, ff, norm, norms }: Stream): NameRow[] => [
  ...pairs(`joint_blocks.#.${original}.attn.`, "transformer_blocks.#.attn.", { qkv: attention, proj: out, ln_q: norms[0], ln_k: norms[1] }),
  ...pairs(`joint_blocks.#.${original}.`, "transformer_blocks.#.", {
    "mlp.fc1": `${ff}.net.0.proj`,
    "mlp.fc2": `${ff}.net.2`,
    "adaLN_modulation.1": `${norm}.linear`,
  }),
];

/** Stable Diffusion 3 and 3.5. @see diffusers `loaders/single_file_utils.py` convert_sd3_transformer_checkpoint_to_diffusers */
export const SD3: FamilyNames = {
  family: "sd3",
  attribute: "transformer",
  classes: ["SD3Transformer2DModel", "SD3ControlNetModel"],
  inputs: [ATTENTION_INPUTS, [1536, 2432]],
  rows: [
    ...stream("x_block", IMAGE),
    ...stream("context_block", TEXT),
    ...pairs("joint_blocks.#.x_block.attn2.", "transformer_blocks.#.attn2.", {
      qkv: QKV,
      proj: "to_out.0",
      ln_q: "norm_q",
      ln_k: "norm_k",
    }),
    ...embedder("t_embedder", "time_text_embed.timestep_embedder", ["mlp.0", "mlp.2"]),
    ...embedder("y_embedder", "time_text_embed.text_embedder", ["mlp.0", "mlp.2"]),
    ...pairs("", "", {
      "x_embedder.proj": "pos_embed.proj",
      pos_embed: "pos_embed.pos_embed",
      context_embedder: "context_embedder",
      "final_layer.linear": "proj_out",
    }),
    { original: "final_layer.adaLN_modulation.1", diffusers: "norm_out.linear", swapped: true },
  ],
};

/**
 * The last context block has two chunks where the others have six: shift | scale in the original, scale | shift in diffusers. Only its shape tells.
 * @param out rows of the weight @param inputs its columns
 */
export const isLastContext = (path: string, out: number, inputs: number): boolean =>
  /(?:context_block\.adaLN_modulation\.1|norm1_context\.linear)$/.test(path) && out === 2 * inputs;
