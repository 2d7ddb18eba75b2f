import type { KnownModel } from "../known-model.js";

const common = { tested: "architecture", chat: false } as const;

/** Models with a state in the place of attention: Mamba, Mamba-2 and RWKV-4. Their memory does not grow with the text. */
export const RECURRENT: readonly KnownModel[] = [
  {
    repo: "state-spaces/mamba-130m-hf",
    licence: "Apache-2.0",
    contextLength: 2048,
    parameters: 129_135_360,
    ...common,
    config: {
      model_type: "mamba",
      vocab_size: 50_280,
      hidden_size: 768,
      intermediate_size: 1536,
      num_hidden_layers: 24,
      state_size: 16,
      conv_kernel: 4,
      expand: 2,
      time_step_rank: 48,
      use_bias: false,
      use_conv_bias: true,
      hidden_act: "silu",
      layer_norm_epsilon: 1e-5,
      tie_word_embeddings: true,
    },
  },
  {
    repo: "RWKV/rwkv-4-169m-pile",
    licence: "Apache-2.0",
    contextLength: 1024,
    parameters: 169_342_464,
    ...common,
    config: {
      model_type: "rwkv",
      vocab_size: 50_277,
      context_length: 1024,
      hidden_size: 768,
      attention_hidden_size: 768,
      intermediate_size: 3072,
      num_hidden_layers: 12,
      layer_norm_epsilon: 1e-5,
      rescale_every: 6,
      tie_word_embeddings: false,
    },
  },
];
