import type { KnownModel } from "../known-model.js";

const gpt2 = (repo: string, parameters: number, width: number, layers: number, heads: number): KnownModel => ({
  repo,
  licence: "MIT",
  contextLength: 1024,
  parameters,
  tested: "architecture",
  chat: false,
  config: {
    model_type: "gpt2",
    vocab_size: 50_257,
    n_positions: 1024,
    n_embd: width,
    n_layer: layers,
    n_head: heads,
    activation_function: "gelu_new",
    layer_norm_epsilon: 1e-5,
  },
});

/** GPT-2 of OpenAI. */
export const GPT2_FAMILY: readonly KnownModel[] = [
  gpt2("openai-community/gpt2", 124_439_808, 768, 12, 12),
  gpt2("openai-community/gpt2-medium", 354_823_168, 1024, 24, 16),
];
