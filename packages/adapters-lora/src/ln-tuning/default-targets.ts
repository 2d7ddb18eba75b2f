import type { DefaultTargets } from "@weft/tensor-core";

/** The modules that PEFT 0.21.2 adapts by default with LN tuning. @see peft `utils/constants.py` */
export const DEFAULT_TARGETS: DefaultTargets = {
  models: {
    llama: ["input_layernorm", "post_attention_layernorm", "norm"],
    bloom: ["input_layernorm", "post_attention_layernorm", "ln_f"],
    llava: ["multi_modal_projector", "input_layernorm", "post_attention_layernorm", "norm", "embed_tokens", "lm_head"],
    t5: ["layer_norm", "final_layer_norm"],
    mt5: ["layer_norm", "final_layer_norm"],
    bart: ["self_attn_layer_norm", "encoder_attn_layer_norm", "final_layer_norm"],
    gpt2: ["ln_1", "ln_2", "ln_f"],
    "blip-2": ["layernorm", "LayerNorm", "final_layer_norm", "self_attn_layer_norm"],
    gptj: ["ln_1", "ln_f"],
    falcon: ["input_layernorm", "post_attention_layernorm", "ln_f"],
    mistral: ["input_layernorm", "post_attention_layernorm", "norm"],
    phi: ["input_layernorm", "final_layernorm"],
    gemma: ["input_layernorm", "post_attention_layernorm", "norm"],
    gemma2: ["input_layernorm", "post_attention_layernorm", "pre_feedforward_layernorm", "post_feedforward_layernorm", "norm"],
    gemma3_text: ["input_layernorm", "post_attention_layernorm", "pre_feedforward_layernorm", "post_feedforward_layernorm", "norm"],
    qwen2: ["post_attention_layernorm"],
    qwen3: ["post_attention_layernorm"],
  },
  others: null,
};
