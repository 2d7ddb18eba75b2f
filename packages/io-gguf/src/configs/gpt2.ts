import type { Family } from "./family.js";

export const GPT2: Family = {
  architecture: "gpt2",
  modelTypes: ["gpt2"],
  className: "GPT2LMHeadModel",
  config: (read) => ({
    layer_norm_epsilon: read.float("attention.layer_norm_epsilon") ?? read.number("attention.layer_norm_epsilon"),
    n_embd: read.number("embedding_length"),
    n_head: read.number("attention.head_count"),
    n_inner: read.number("feed_forward_length"),
    n_layer: read.number("block_count"),
    n_positions: read.number("context_length"),
    tie_word_embeddings: read.tied,
    vocab_size: read.vocabulary,
  }),
};
