import type { NameMap } from "./name-map.js";
import { type NameRow, tableMap } from "./table-map.js";

const stream = (original: string, ff: string, norm: string, qkv: readonly string[], out: string): NameRow[] => [
  { original: `joint_blocks.#.${original}.attn.qkv`, diffusers: qkv.map((name) => `transformer_blocks.#.attn.${name}`) },
  { original: `joint_blocks.#.${original}.attn.proj`, diffusers: `transformer_blocks.#.attn.${out}` },
  { original: `joint_blocks.#.${original}.mlp.fc1`, diffusers: `transformer_blocks.#.${ff}.net.0.proj` },
  { original: `joint_blocks.#.${original}.mlp.fc2`, diffusers: `transformer_blocks.#.${ff}.net.2` },
  { original: `joint_blocks.#.${original}.adaLN_modulation.1`, diffusers: `transformer_blocks.#.${norm}.linear` },
];

const embedder = (original: string, diffusers: string): NameRow[] => [
  { original: `${original}.mlp.0`, diffusers: `time_text_embed.${diffusers}.linear_1` },
  { original: `${original}.mlp.2`, diffusers: `time_text_embed.${diffusers}.linear_2` },
];

/** Stable Diffusion 3 and 3.5. @see diffusers `scripts/convert_sd3_to_diffusers.py` */
export const SD3: NameMap = tableMap("sd3", [
  ...stream("x_block", "ff", "norm1", ["to_q", "to_k", "to_v"], "to_out.0"),
  ...stream("context_block", "ff_context", "norm1_context", ["add_q_proj", "add_k_proj", "add_v_proj"], "to_add_out"),
  { original: "joint_blocks.#.x_block.attn2.qkv", diffusers: ["to_q", "to_k", "to_v"].map((name) => `transformer_blocks.#.attn2.${name}`) },
  { original: "joint_blocks.#.x_block.attn2.proj", diffusers: "transformer_blocks.#.attn2.to_out.0" },
  ...embedder("t_embedder", "timestep_embedder"),
  ...embedder("y_embedder", "text_embedder"),
  { original: "x_embedder.proj", diffusers: "pos_embed.proj" },
  { original: "context_embedder", diffusers: "context_embedder" },
  { original: "final_layer.linear", diffusers: "proj_out" },
  { original: "final_layer.adaLN_modulation.1", diffusers: "norm_out.linear", swapped: true },
]);

/**
 * The last context block has two chunks where the others have six: shift | scale in the original, scale | shift in diffusers. Only its shape tells.
 * @param out rows of the weight @param inputs its columns
 */
export const isLastContext = (path: string, out: number, inputs: number): boolean =>
  /(?:context_block\.adaLN_modulation\.1|norm1_context\.linear)$/.test(path) && out === 2 * inputs;
