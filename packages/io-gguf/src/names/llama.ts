import type { ArchitectureNames } from "./architecture.js";

/** Embeddings, norms and feed-forward of everything that is built as Llama is. */
export const LLAMA_BODY = [
  ["token_embd", "model.embed_tokens"],
  ["output_norm", "model.norm"],
  ["output", "lm_head"],
  ["blk.N.attn_norm", "model.layers.N.input_layernorm"],
  ["blk.N.attn_v", "model.layers.N.self_attn.v_proj"],
  ["blk.N.attn_output", "model.layers.N.self_attn.o_proj"],
  ["blk.N.ffn_norm", "model.layers.N.post_attention_layernorm"],
  ["blk.N.ffn_gate", "model.layers.N.mlp.gate_proj"],
  ["blk.N.ffn_up", "model.layers.N.mlp.up_proj"],
  ["blk.N.ffn_down", "model.layers.N.mlp.down_proj"],
] as const;

/** Llama, Mistral, SmolLM: transformers rotates halves of a head, llama.cpp neighbours. @see llama.cpp `convert_hf_to_gguf.py` LlamaModel */
export const LLAMA: ArchitectureNames = {
  architecture: "llama",
  prefix: "model.",
  tensors: [
    ...LLAMA_BODY,
    ["blk.N.attn_q", "model.layers.N.self_attn.q_proj", "q-heads"],
    ["blk.N.attn_k", "model.layers.N.self_attn.k_proj", "k-heads"],
  ],
  biasToo: true,
};
