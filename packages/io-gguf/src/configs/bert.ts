import type { Family } from "./family.js";

export const BERT: Family = {
  architecture: "bert",
  modelTypes: ["bert"],
  className: "BertModel",
  config: (read) => ({
    hidden_act: "gelu",
    hidden_size: read.number("embedding_length"),
    intermediate_size: read.number("feed_forward_length"),
    layer_norm_eps: read.float("attention.layer_norm_epsilon") ?? read.number("attention.layer_norm_epsilon"),
    max_position_embeddings: read.number("context_length"),
    num_attention_heads: read.number("attention.head_count"),
    num_hidden_layers: read.number("block_count"),
    type_vocab_size: read.file.tensors.get("token_types.weight")?.shape[0] ?? 2,
    vocab_size: read.vocabulary,
  }),
};
