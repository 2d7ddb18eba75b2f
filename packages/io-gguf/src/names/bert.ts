import type { ArchitectureNames } from "./architecture.js";

/** BERT and the sentence encoders made of it; neither pooler nor heads of pre-training are in GGUF files, which are used for embeddings. @see llama.cpp `convert_hf_to_gguf.py` BertModel */
export const BERT: ArchitectureNames = {
  architecture: "bert",
  prefix: "bert.",
  oldEnds: [
    [".gamma", ".weight"],
    [".beta", ".bias"],
  ],
  leftOut: { nothing: /(^|\.)embeddings\.position_ids$/, heads: /(^|\.)pooler\.dense\.|^cls\.(predictions|seq_relationship)\./ },
  tensors: [
    ["token_embd", "bert.embeddings.word_embeddings"],
    ["position_embd", "bert.embeddings.position_embeddings"],
    ["token_types", "bert.embeddings.token_type_embeddings"],
    ["token_embd_norm", "bert.embeddings.LayerNorm"],
    ["blk.N.attn_q", "bert.encoder.layer.N.attention.self.query"],
    ["blk.N.attn_k", "bert.encoder.layer.N.attention.self.key"],
    ["blk.N.attn_v", "bert.encoder.layer.N.attention.self.value"],
    ["blk.N.attn_output", "bert.encoder.layer.N.attention.output.dense"],
    ["blk.N.attn_output_norm", "bert.encoder.layer.N.attention.output.LayerNorm"],
    ["blk.N.ffn_up", "bert.encoder.layer.N.intermediate.dense"],
    ["blk.N.ffn_down", "bert.encoder.layer.N.output.dense"],
    ["blk.N.layer_output_norm", "bert.encoder.layer.N.output.LayerNorm"],
  ],
};
