import type { KnownModel } from "../known-model.js";

interface Sizes {
  readonly hidden: number;
  readonly layers: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly intermediate: number;
  readonly vocabulary: number;
  readonly positions: number;
  readonly rope: number;
  readonly tied?: boolean;
}

const config = (
  type: "llama" | "mistral",
  { hidden, layers, heads, keyValueHeads, intermediate, vocabulary, positions, rope, tied = false }: Sizes,
): KnownModel["config"] => ({
  model_type: type,
  vocab_size: vocabulary,
  hidden_size: hidden,
  intermediate_size: intermediate,
  num_hidden_layers: layers,
  num_attention_heads: heads,
  num_key_value_heads: keyValueHeads,
  rms_norm_eps: 1e-5,
  rope_theta: rope,
  max_position_embeddings: positions,
  tie_word_embeddings: tied,
  ...(type === "mistral" && { sliding_window: null }),
});

const meta = { tested: "architecture", chat: true, contextLength: 131_072 } as const;
const long = { vocabulary: 128_256, positions: 131_072, rope: 5e5 } as const;

/** Llama of Meta, TinyLlama, and Mistral, which is built alike. */
export const LLAMA_FAMILY: readonly KnownModel[] = [
  {
    repo: "TinyLlama/TinyLlama-1.1B-Chat-v1.0",
    licence: "Apache-2.0",
    contextLength: 2048,
    parameters: 1_100_048_384,
    tested: "architecture",
    chat: true,
    config: config("llama", {
      hidden: 2048,
      layers: 22,
      heads: 32,
      keyValueHeads: 4,
      intermediate: 5632,
      vocabulary: 32_000,
      positions: 2048,
      rope: 1e4,
    }),
  },
  {
    repo: "meta-llama/Llama-3.2-1B-Instruct",
    licence: "Llama 3.2 Community License",
    parameters: 1_235_814_400,
    ...meta,
    config: config("llama", { hidden: 2048, layers: 16, heads: 32, keyValueHeads: 8, intermediate: 8192, tied: true, ...long }),
  },
  {
    repo: "meta-llama/Llama-3.2-3B-Instruct",
    licence: "Llama 3.2 Community License",
    parameters: 3_212_749_824,
    ...meta,
    config: config("llama", { hidden: 3072, layers: 28, heads: 24, keyValueHeads: 8, intermediate: 8192, tied: true, ...long }),
  },
  {
    repo: "meta-llama/Llama-3.1-8B-Instruct",
    licence: "Llama 3.1 Community License",
    parameters: 8_030_261_248,
    ...meta,
    config: config("llama", { hidden: 4096, layers: 32, heads: 32, keyValueHeads: 8, intermediate: 14_336, ...long }),
  },
  {
    repo: "mistralai/Mistral-7B-Instruct-v0.3",
    licence: "Apache-2.0",
    contextLength: 32_768,
    parameters: 7_248_023_552,
    tested: "architecture",
    chat: true,
    config: config("mistral", {
      hidden: 4096,
      layers: 32,
      heads: 32,
      keyValueHeads: 8,
      intermediate: 14_336,
      vocabulary: 32_768,
      positions: 32_768,
      rope: 1e6,
    }),
  },
];
