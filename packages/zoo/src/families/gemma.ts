import type { KnownModel } from "../known-model.js";

const common = { licence: "Gemma Terms of Use", tested: "architecture", chat: true } as const;

/** Gemma 2 and 3 of Google. */
export const GEMMA: readonly KnownModel[] = [
  {
    repo: "google/gemma-2-2b-it",
    contextLength: 8192,
    parameters: 2_614_341_888,
    ...common,
    config: {
      model_type: "gemma2",
      vocab_size: 256_000,
      hidden_size: 2304,
      intermediate_size: 9216,
      num_hidden_layers: 26,
      num_attention_heads: 8,
      num_key_value_heads: 4,
      head_dim: 256,
      query_pre_attn_scalar: 256,
      sliding_window: 4096,
      attn_logit_softcapping: 50,
      final_logit_softcapping: 30,
      hidden_activation: "gelu_pytorch_tanh",
      rms_norm_eps: 1e-6,
      rope_theta: 1e4,
      max_position_embeddings: 8192,
      tie_word_embeddings: true,
    },
  },
  {
    repo: "google/gemma-3-1b-it",
    contextLength: 32_768,
    parameters: 999_885_952,
    ...common,
    config: {
      model_type: "gemma3_text",
      vocab_size: 262_144,
      hidden_size: 1152,
      intermediate_size: 6912,
      num_hidden_layers: 26,
      num_attention_heads: 4,
      num_key_value_heads: 1,
      head_dim: 256,
      query_pre_attn_scalar: 256,
      sliding_window: 512,
      sliding_window_pattern: 6,
      hidden_activation: "gelu_pytorch_tanh",
      rms_norm_eps: 1e-6,
      rope_theta: 1e6,
      rope_local_base_freq: 1e4,
      max_position_embeddings: 32_768,
      tie_word_embeddings: true,
    },
  },
];
