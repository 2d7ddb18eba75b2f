import type { ArchitectureNames } from "./architecture.js";

/** One projection for queries, keys and values, and one for gate and up, in both. @see llama.cpp `convert_hf_to_gguf.py` Phi3MiniModel */
export const PHI3: ArchitectureNames = {
  architecture: "phi3",
  prefix: "model.",
  tensors: [
    ["token_embd", "model.embed_tokens"],
    ["output_norm", "model.norm"],
    ["output", "lm_head"],
    ["blk.N.attn_norm", "model.layers.N.input_layernorm"],
    ["blk.N.attn_qkv", "model.layers.N.self_attn.qkv_proj"],
    ["blk.N.attn_output", "model.layers.N.self_attn.o_proj"],
    ["blk.N.ffn_norm", "model.layers.N.post_attention_layernorm"],
    ["blk.N.ffn_up", "model.layers.N.mlp.gate_up_proj"],
    ["blk.N.ffn_down", "model.layers.N.mlp.down_proj"],
  ],
};
