import type { ConfigJson } from "@weft/models";
import type { TorchGenerator } from "@weft/tensor-core";
import type { TrainingArguments } from "@weft/training";
import type { InitialParameters } from "./initial/draw.js";
import { initialLlama } from "./initial/llama.js";
import { initialMamba } from "./initial/mamba.js";
import { initialRwkv } from "./initial/rwkv.js";

/** How a model is made: all that its weights depend on besides the text. */
export interface Recipe {
  /** `config.json` */
  readonly config: ConfigJson;
  readonly initial: (config: ConfigJson, generator: TorchGenerator) => InitialParameters;
  readonly training: TrainingArguments;
}

/** Of the tokenizer, which the models share. */
export const VOCAB_SIZE = 1024;
/** Tokens of a row of the training. */
export const LENGTH = 256;
/** Rows of a step. */
export const BATCH_SIZE = 2;
/** Of first values and of the order of the rows. */
export const SEED = 0;

const shared = {
  vocab_size: VOCAB_SIZE,
  hidden_size: 96,
  num_hidden_layers: 4,
  tie_word_embeddings: true,
  bos_token_id: 0,
  eos_token_id: 0,
  dtype: "float32",
};

const training: TrainingArguments = {
  lrSchedulerType: "cosine",
  warmupSteps: 0.05,
  weightDecay: 0.1,
  adamBeta2: 0.98,
};

export const RECIPES: { readonly [name: string]: Recipe } = {
  llama: {
    config: {
      architectures: ["LlamaForCausalLM"],
      model_type: "llama",
      ...shared,
      num_attention_heads: 3,
      num_key_value_heads: 1,
      head_dim: 32,
      intermediate_size: 256,
      hidden_act: "silu",
      max_position_embeddings: 256,
      rms_norm_eps: 1e-5,
      rope_theta: 10000,
      attention_bias: false,
      mlp_bias: false,
      initializer_range: 0.02,
    },
    initial: initialLlama,
    training: { ...training, maxSteps: 1500, learningRate: 4e-3 },
  },
  mamba: {
    config: {
      architectures: ["MambaForCausalLM"],
      model_type: "mamba",
      ...shared,
      state_size: 8,
      expand: 2,
      conv_kernel: 4,
      time_step_rank: 6,
      use_bias: false,
      use_conv_bias: true,
      hidden_act: "silu",
      layer_norm_epsilon: 1e-5,
      residual_in_fp32: true,
    },
    initial: initialMamba,
    training: { ...training, maxSteps: 500, learningRate: 4e-3 },
  },
  rwkv: {
    config: {
      architectures: ["RwkvForCausalLM"],
      model_type: "rwkv",
      ...shared,
      attention_hidden_size: 96,
      intermediate_size: 256,
      context_length: 256,
      layer_norm_epsilon: 1e-5,
      rescale_every: 0,
    },
    initial: initialRwkv,
    training: { ...training, maxSteps: 1000, learningRate: 4e-3 },
  },
};
