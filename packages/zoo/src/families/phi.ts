import type { KnownModel } from "../known-model.js";

/** Phi-3 of Microsoft. */
export const PHI: readonly KnownModel[] = [
  {
    repo: "microsoft/Phi-3-mini-4k-instruct",
    licence: "MIT",
    contextLength: 4096,
    parameters: 3_821_079_552,
    tested: "architecture",
    chat: true,
    config: {
      model_type: "phi3",
      vocab_size: 32_064,
      hidden_size: 3072,
      intermediate_size: 8192,
      num_hidden_layers: 32,
      num_attention_heads: 32,
      num_key_value_heads: 32,
      sliding_window: 2047,
      rms_norm_eps: 1e-5,
      rope_theta: 1e4,
      max_position_embeddings: 4096,
      tie_word_embeddings: false,
    },
  },
];
