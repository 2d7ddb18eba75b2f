import type { KnownModel } from "../known-model.js";

const llama = (
  hidden: number,
  layers: number,
  heads: number,
  keyValueHeads: number,
  intermediate: number,
  rope: number,
  positions: number,
): KnownModel["config"] => ({
  model_type: "llama",
  vocab_size: 49152,
  hidden_size: hidden,
  intermediate_size: intermediate,
  num_hidden_layers: layers,
  num_attention_heads: heads,
  num_key_value_heads: keyValueHeads,
  rms_norm_eps: 1e-5,
  rope_theta: rope,
  max_position_embeddings: positions,
  tie_word_embeddings: true,
});

const common = { licence: "Apache-2.0", contextLength: 8192, chat: true } as const;

/** SmolLM2 and SmolLM3 of Hugging Face. */
export const SMOLLM: readonly KnownModel[] = [
  {
    repo: "HuggingFaceTB/SmolLM2-135M-Instruct",
    parameters: 134_515_008,
    tested: "weights",
    ...common,
    config: llama(576, 30, 9, 3, 1536, 1e5, 8192),
  },
  {
    repo: "HuggingFaceTB/SmolLM2-360M-Instruct",
    parameters: 361_821_120,
    tested: "architecture",
    ...common,
    config: llama(960, 32, 15, 5, 2560, 1e5, 8192),
  },
  {
    repo: "HuggingFaceTB/SmolLM2-1.7B-Instruct",
    parameters: 1_711_376_384,
    tested: "architecture",
    ...common,
    config: llama(2048, 24, 32, 32, 8192, 130_000, 8192),
  },
  {
    repo: "HuggingFaceTB/SmolLM3-3B",
    licence: "Apache-2.0",
    contextLength: 65_536,
    parameters: 3_075_098_624,
    tested: "architecture",
    chat: true,
    config: {
      model_type: "smollm3",
      vocab_size: 128_256,
      hidden_size: 2048,
      intermediate_size: 11_008,
      num_hidden_layers: 36,
      num_attention_heads: 16,
      num_key_value_heads: 4,
      rms_norm_eps: 1e-6,
      rope_theta: 5e6,
      max_position_embeddings: 65_536,
      tie_word_embeddings: true,
    },
  },
];
