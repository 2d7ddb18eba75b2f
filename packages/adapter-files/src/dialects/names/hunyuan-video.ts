import type { FamilyNames, NameRow } from "./name-map.js";
import { ATTENTION_INPUTS, embedder, IMAGE, QKV, type Stream, TEXT } from "./rows.js";

/** Tencent's name, and ComfyUI's where that is another. */
const row = (diffusers: string | readonly string[], ...original: readonly string[]): NameRow => ({ original, diffusers });

function stream(s: "img" | "txt", { attention, out, ff, norm, norms }: Stream): NameRow[] {
  const [from, to] = [`double_blocks.#.${s}_`, "transformer_blocks.#."];
  return [
    row(
      attention.map((name) => `${to}attn.${name}`),
      `${from}attn_qkv`,
      `${from}attn.qkv`,
    ),
    row(`${to}attn.${out}`, `${from}attn_proj`, `${from}attn.proj`),
    row(`${to}${ff}.net.0.proj`, `${from}mlp.fc1`, `${from}mlp.0`),
    row(`${to}${ff}.net.2`, `${from}mlp.fc2`, `${from}mlp.2`),
    row(`${to}${norm}.linear`, `${from}mod.linear`, `${from}mod.lin`),
    row(`${to}attn.${norms[0]}`, `${from}attn_q_norm`, `${from}attn.norm.query_norm`),
    row(`${to}attn.${norms[1]}`, `${from}attn_k_norm`, `${from}attn.norm.key_norm`),
  ];
}

const [REFINER, REFINED] = ["txt_in.individual_token_refiner.blocks.#.", "context_embedder.token_refiner.refiner_blocks.#."];
const single = (name: string): string => `single_transformer_blocks.#.${name}`;

/** HunyuanVideo. @see diffusers `loaders/single_file_utils.py` convert_hunyuan_video_transformer_to_diffusers; ComfyUI `comfy/supported_models.py` */
export const HUNYUAN_VIDEO: FamilyNames = {
  family: "hunyuan-video",
  attribute: "transformer",
  classes: ["HunyuanVideoTransformer3DModel", "HunyuanVideoFramepackTransformer3DModel"],
  inputs: [ATTENTION_INPUTS, [3072]],
  rows: [
    ...stream("img", IMAGE),
    ...stream("txt", TEXT),
    {
      original: "single_blocks.#.linear1",
      diffusers: ["attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp"].map(single),
      sizes: [1, 1, 1, 4],
    },
    row(single("proj_out"), "single_blocks.#.linear2"),
    row(single("norm.linear"), "single_blocks.#.modulation.linear", "single_blocks.#.modulation.lin"),
    row(single("attn.norm_q"), "single_blocks.#.q_norm", "single_blocks.#.norm.query_norm"),
    row(single("attn.norm_k"), "single_blocks.#.k_norm", "single_blocks.#.norm.key_norm"),
    row("x_embedder.proj", "img_in.proj"),
    row("proj_out", "final_layer.linear"),
    { original: "final_layer.adaLN_modulation.1", diffusers: "norm_out.linear", swapped: true },
    ...(["time_in", "guidance_in"] as const).flatMap((name) => {
      const to = `time_text_embed.${name === "time_in" ? "timestep" : "guidance"}_embedder`;
      return [row(`${to}.linear_1`, `${name}.mlp.0`, `${name}.in_layer`), row(`${to}.linear_2`, `${name}.mlp.2`, `${name}.out_layer`)];
    }),
    ...embedder("vector_in", "time_text_embed.text_embedder", ["in_layer", "out_layer"]),
    row("context_embedder.proj_in", "txt_in.input_embedder"),
    row("context_embedder.time_text_embed.timestep_embedder.linear_1", "txt_in.t_embedder.mlp.0", "txt_in.t_embedder.in_layer"),
    row("context_embedder.time_text_embed.timestep_embedder.linear_2", "txt_in.t_embedder.mlp.2", "txt_in.t_embedder.out_layer"),
    row("context_embedder.time_text_embed.text_embedder.linear_1", "txt_in.c_embedder.linear_1", "txt_in.c_embedder.in_layer"),
    row("context_embedder.time_text_embed.text_embedder.linear_2", "txt_in.c_embedder.linear_2", "txt_in.c_embedder.out_layer"),
    row(
      QKV.map((name) => `${REFINED}attn.${name}`),
      `${REFINER}self_attn_qkv`,
      `${REFINER}self_attn.qkv`,
    ),
    row(`${REFINED}attn.to_out.0`, `${REFINER}self_attn_proj`, `${REFINER}self_attn.proj`),
    row(`${REFINED}norm1`, `${REFINER}norm1`),
    row(`${REFINED}norm2`, `${REFINER}norm2`),
    row(`${REFINED}ff.net.0.proj`, `${REFINER}mlp.fc1`, `${REFINER}mlp.0`),
    row(`${REFINED}ff.net.2`, `${REFINER}mlp.fc2`, `${REFINER}mlp.2`),
    row(`${REFINED}norm_out.linear`, `${REFINER}adaLN_modulation.1`),
  ],
};
