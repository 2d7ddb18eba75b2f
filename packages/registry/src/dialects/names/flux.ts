import type { NameMap } from "./name-map.js";
import { type NameRow, tableMap } from "./table-map.js";

const stream = (original: string, ff: string, norm: string, qkv: readonly string[], out: string): NameRow[] => [
  { original: `double_blocks.#.${original}_attn.qkv`, diffusers: qkv.map((name) => `transformer_blocks.#.attn.${name}`) },
  { original: `double_blocks.#.${original}_attn.proj`, diffusers: `transformer_blocks.#.attn.${out}` },
  { original: `double_blocks.#.${original}_mlp.0`, diffusers: `transformer_blocks.#.${ff}.net.0.proj` },
  { original: `double_blocks.#.${original}_mlp.2`, diffusers: `transformer_blocks.#.${ff}.net.2` },
  { original: `double_blocks.#.${original}_mod.lin`, diffusers: `transformer_blocks.#.${norm}.linear` },
];

const single = (name: string): string => `single_transformer_blocks.#.${name}`;
const embedder = (original: string, diffusers: string): NameRow[] => [
  { original: `${original}.in_layer`, diffusers: `time_text_embed.${diffusers}.linear_1` },
  { original: `${original}.out_layer`, diffusers: `time_text_embed.${diffusers}.linear_2` },
];

/** FLUX.1. @see diffusers `scripts/convert_flux_to_diffusers.py` */
export const FLUX: NameMap = tableMap("flux", [
  ...stream("img", "ff", "norm1", ["to_q", "to_k", "to_v"], "to_out.0"),
  ...stream("txt", "ff_context", "norm1_context", ["add_q_proj", "add_k_proj", "add_v_proj"], "to_add_out"),
  { original: "single_blocks.#.linear1", diffusers: ["attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp"].map(single), sizes: [1, 1, 1, 4] },
  { original: "single_blocks.#.linear2", diffusers: single("proj_out") },
  { original: "single_blocks.#.modulation.lin", diffusers: single("norm.linear") },
  { original: "img_in", diffusers: "x_embedder" },
  { original: "txt_in", diffusers: "context_embedder" },
  ...embedder("time_in", "timestep_embedder"),
  ...embedder("vector_in", "text_embedder"),
  ...embedder("guidance_in", "guidance_embedder"),
  { original: "final_layer.linear", diffusers: "proj_out" },
  { original: "final_layer.adaLN_modulation.1", diffusers: "norm_out.linear", swapped: true },
]);
