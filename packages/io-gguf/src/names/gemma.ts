import type { ArchitectureNames, GgufDifference, NamePair } from "./architecture.js";
import { HALVES, LLAMA_BODY } from "./llama.js";

const NORM: GgufDifference = { values: "plus-one" };

/** As Llama, with norms behind attention and feed-forward part, and 1 added to the weights of all norms. @see llama.cpp `convert_hf_to_gguf.py` Gemma2Model */
const GEMMA_TENSORS: readonly NamePair[] = [
  ...LLAMA_BODY.filter(([gguf]) => !gguf.endsWith("_norm")),
  ...HALVES,
  ["output_norm", "model.norm", NORM],
  ["blk.N.attn_norm", "model.layers.N.input_layernorm", NORM],
  ["blk.N.post_attention_norm", "model.layers.N.post_attention_layernorm", NORM],
  ["blk.N.ffn_norm", "model.layers.N.pre_feedforward_layernorm", NORM],
  ["blk.N.post_ffw_norm", "model.layers.N.post_feedforward_layernorm", NORM],
];

export const GEMMA2: ArchitectureNames = { architecture: "gemma2", prefix: "model.", tensors: GEMMA_TENSORS };

/** As Gemma 2, with norms of queries and keys. @see llama.cpp `convert_hf_to_gguf.py` Gemma3Model */
export const GEMMA3: ArchitectureNames = {
  architecture: "gemma3",
  prefix: "model.",
  tensors: [
    ...GEMMA_TENSORS,
    ["blk.N.attn_q_norm", "model.layers.N.self_attn.q_norm", NORM],
    ["blk.N.attn_k_norm", "model.layers.N.self_attn.k_norm", NORM],
  ],
};
