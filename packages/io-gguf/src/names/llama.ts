import type { ArchitectureNames, NamePair } from "./architecture.js";

/** Embeddings, norms and feed-forward of everything that is built as Llama is. */
export const LLAMA_BODY: readonly NamePair[] = [
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
];

/** Queries and keys whose halves transformers rotates, and llama.cpp neighbours. */
const NEIGHBOURS: readonly NamePair[] = [
  ["blk.N.attn_q", "model.layers.N.self_attn.q_proj", { placement: "q-heads" }],
  ["blk.N.attn_k", "model.layers.N.self_attn.k_proj", { placement: "k-heads" }],
];

/** Queries and keys of which both rotate halves. */
export const HALVES: readonly NamePair[] = [
  ["blk.N.attn_q", "model.layers.N.self_attn.q_proj"],
  ["blk.N.attn_k", "model.layers.N.self_attn.k_proj"],
];

const llama = (architecture: string): ArchitectureNames => ({
  architecture,
  prefix: "model.",
  tensors: [...LLAMA_BODY, ...NEIGHBOURS],
  biasToo: true,
});

/** Llama, Mistral, SmolLM. @see llama.cpp `convert_hf_to_gguf.py` LlamaModel */
export const LLAMA: ArchitectureNames = llama("llama");

/** As Llama; which layers have no rotary embedding stands in no file. @see llama.cpp `convert_hf_to_gguf.py` SmolLM3Model */
export const SMOLLM3: ArchitectureNames = llama("smollm3");
