import type { KnownModel } from "../known-model.js";

const sizes = (
  type: "qwen2" | "qwen3",
  hidden: number,
  layers: number,
  heads: number,
  keyValueHeads: number,
  intermediate: number,
  { vocabulary = 151_936, tied = true }: { readonly vocabulary?: number; readonly tied?: boolean } = {},
): KnownModel["config"] => ({
  model_type: type,
  vocab_size: vocabulary,
  hidden_size: hidden,
  intermediate_size: intermediate,
  num_hidden_layers: layers,
  num_attention_heads: heads,
  num_key_value_heads: keyValueHeads,
  ...(type === "qwen3" && { head_dim: 128, attention_bias: false }),
  rms_norm_eps: 1e-6,
  rope_theta: 1e6,
  max_position_embeddings: type === "qwen3" ? 40_960 : 32_768,
  tie_word_embeddings: tied,
});

const second = { licence: "Apache-2.0", contextLength: 32_768, tested: "architecture", chat: true } as const;
const third = { ...second, contextLength: 40_960 } as const;

/** Qwen2.5 and Qwen3 of Alibaba. */
export const QWEN: readonly KnownModel[] = [
  { repo: "Qwen/Qwen2.5-0.5B-Instruct", parameters: 494_032_768, ...second, config: sizes("qwen2", 896, 24, 14, 2, 4864) },
  { repo: "Qwen/Qwen2.5-1.5B-Instruct", parameters: 1_543_714_304, ...second, config: sizes("qwen2", 1536, 28, 12, 2, 8960) },
  {
    repo: "Qwen/Qwen2.5-3B-Instruct",
    parameters: 3_085_938_688,
    ...second,
    licence: "Qwen Research License",
    config: sizes("qwen2", 2048, 36, 16, 2, 11_008),
  },
  {
    repo: "Qwen/Qwen2.5-7B-Instruct",
    parameters: 7_615_616_512,
    ...second,
    config: sizes("qwen2", 3584, 28, 28, 4, 18_944, { vocabulary: 152_064, tied: false }),
  },
  { repo: "Qwen/Qwen3-0.6B", parameters: 596_049_920, ...third, config: sizes("qwen3", 1024, 28, 16, 8, 3072) },
  { repo: "Qwen/Qwen3-1.7B", parameters: 1_720_574_976, ...third, config: sizes("qwen3", 2048, 28, 16, 8, 6144) },
  { repo: "Qwen/Qwen3-4B", parameters: 4_022_468_096, ...third, config: sizes("qwen3", 2560, 36, 32, 8, 9728) },
  { repo: "Qwen/Qwen3-8B", parameters: 8_190_735_360, ...third, config: sizes("qwen3", 4096, 36, 32, 8, 12_288, { tied: false }) },
];
