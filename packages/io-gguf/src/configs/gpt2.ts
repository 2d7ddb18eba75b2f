import type { Family } from "./family.js";
import { f32, u32 } from "./read-config.js";

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
  describe(config) {
    config.same("activation_function", "gelu_new");
    config.same("scale_attn_weights", true);
    config.same("scale_attn_by_inverse_layer_idx", false);
    config.same("add_cross_attention", false);
    const width = config.number("n_embd", 768);
    return {
      entries: [
        ["block_count", u32(config.number("n_layer", 12))],
        ["context_length", u32(config.number("n_positions", 1024))],
        ["embedding_length", u32(width)],
        ["feed_forward_length", u32(config.optional("n_inner") ?? 4 * width)],
        ["attention.head_count", u32(config.number("n_head", 12))],
        ["attention.layer_norm_epsilon", f32(config.number("layer_norm_epsilon", 1e-5))],
      ],
    };
  },
};
