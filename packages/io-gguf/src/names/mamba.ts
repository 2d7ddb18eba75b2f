import type { ArchitectureNames, NamePair } from "./architecture.js";

/** What both generations have. */
const BODY: readonly NamePair[] = [
  ["token_embd", "backbone.embeddings"],
  ["output_norm", "backbone.norm_f"],
  ["output", "lm_head"],
  ["blk.N.attn_norm", "backbone.layers.N.norm"],
  ["blk.N.ssm_in", "backbone.layers.N.mixer.in_proj"],
  ["blk.N.ssm_conv1d", "backbone.layers.N.mixer.conv1d", { form: "kernel" }],
  ["blk.N.ssm_out", "backbone.layers.N.mixer.out_proj"],
];

/** Files hold A itself, of which checkpoints have the logarithm. @see llama.cpp `convert_hf_to_gguf.py` MambaModel */
export const MAMBA: ArchitectureNames = {
  architecture: "mamba",
  prefix: "backbone.",
  tensors: [...BODY, ["blk.N.ssm_x", "backbone.layers.N.mixer.x_proj"], ["blk.N.ssm_dt", "backbone.layers.N.mixer.dt_proj"]],
  whole: [
    ["blk.N.ssm_a", "backbone.layers.N.mixer.A_log", { values: "minus-exp" }],
    ["blk.N.ssm_d", "backbone.layers.N.mixer.D"],
  ],
};

/** @see llama.cpp `convert_hf_to_gguf.py` Mamba2Model */
export const MAMBA2: ArchitectureNames = {
  architecture: "mamba2",
  prefix: "backbone.",
  tensors: [...BODY, ["blk.N.ssm_norm", "backbone.layers.N.mixer.norm", { form: "groups" }]],
  whole: [
    ["blk.N.ssm_a", "backbone.layers.N.mixer.A_log", { values: "minus-exp", form: "column" }],
    ["blk.N.ssm_d", "backbone.layers.N.mixer.D", { form: "column" }],
    ["blk.N.ssm_dt.bias", "backbone.layers.N.mixer.dt_bias"],
  ],
};
