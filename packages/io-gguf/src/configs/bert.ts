import type { Family } from "./family.js";
import { f32, u32 } from "./read-config.js";

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
  describe(config) {
    config.same("hidden_act", "gelu");
    config.same("position_embedding_type", "absolute");
    config.same("is_decoder", false);
    config.same("add_cross_attention", false);
    return {
      entries: [
        ["block_count", u32(config.number("num_hidden_layers", 12))],
        ["context_length", u32(config.number("max_position_embeddings", 512))],
        ["embedding_length", u32(config.number("hidden_size", 768))],
        ["feed_forward_length", u32(config.number("intermediate_size", 3072))],
        ["attention.head_count", u32(config.number("num_attention_heads", 12))],
        ["attention.layer_norm_epsilon", f32(config.number("layer_norm_eps", 1e-12))],
        ["attention.causal", { type: "bool", value: false }],
      ],
    };
  },
};
