import type { TargetConfig } from "./targets.js";
import { withValues } from "./with-values.js";
import { LORA_DEFAULT_TARGETS } from "./default-targets.js";
import { ownEntry } from "../own-entry.js";

type Targets = { readonly [modelType: string]: string | readonly string[] };

const DECODER = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "down_proj", "up_proj"];

/** Default targets by `model_type` where a method's table in PEFT 0.21.2 differs from LoRA's. @see peft `utils/constants.py` */
const OWN: { readonly [peftType: string]: Targets } = {
  ADALORA: {
    t5: ["q", "k", "v", "o", "wi", "wo"],
    mt5: ["q", "k", "v", "o", "wi_0", "wi_1", "wo"],
    bart: ["q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"],
    opt: ["q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"],
    roberta: ["query", "key", "value", "dense"],
    "deberta-v2": ["query_proj", "key_proj", "value_proj", "dense"],
  },
  ADAMSS: { vit: ["query", "value"] },
  ADAPTION_PROMPT: { llama: "self_attn", mistral: "self_attn", gpt2: "attn" },
  C3A: { gpt2: ["mlp.c_proj"], gpt_bigcode: ["mlp.c_proj"] },
  FOURIERFT: { gpt2: ["mlp.c_proj"], gpt_bigcode: ["mlp.c_proj"] },
  FROD: { phi: ["q_proj", "v_proj"], vit: ["query", "value"] },
  IA3: {
    t5: ["k", "v", "wo"],
    mt5: ["k", "v", "wi_1"],
    gpt2: ["c_attn", "mlp.c_proj"],
    bloom: ["query_key_value", "mlp.dense_4h_to_h"],
    roberta: ["key", "value", "output.dense"],
    opt: ["q_proj", "k_proj", "fc2"],
    gptj: ["q_proj", "v_proj", "fc_out"],
    gpt_neox: ["query_key_value", "dense_4h_to_h"],
    gpt_neo: ["q_proj", "v_proj", "c_proj"],
    bart: ["q_proj", "v_proj", "fc2"],
    gpt_bigcode: ["c_attn", "mlp.c_proj"],
    llama: ["k_proj", "v_proj", "down_proj"],
    llama4: ["q_proj", "v_proj", "down_proj"],
    mistral: ["k_proj", "v_proj", "down_proj"],
    mixtral: ["k_proj", "v_proj", "w2"],
    bert: ["key", "value", "output.dense"],
    "deberta-v2": ["key_proj", "value_proj", "output.dense"],
    deberta: ["in_proj", "output.dense"],
    RefinedWebModel: ["query_key_value", "dense_4h_to_h"],
    RefinedWeb: ["query_key_value", "dense_4h_to_h"],
    falcon: ["query_key_value", "dense_4h_to_h"],
    phi: ["q_proj", "v_proj", "fc2"],
    gemma: ["q_proj", "v_proj", "down_proj"],
    gemma2: ["q_proj", "v_proj", "down_proj"],
    gemma3_text: ["q_proj", "v_proj", "down_proj"],
    qwen2: ["q_proj", "v_proj", "down_proj"],
    qwen3: ["q_proj", "v_proj", "down_proj"],
  },
  LN_TUNING: {
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
  OSF: {
    llama: DECODER,
    llama4: DECODER,
    mistral: DECODER,
    mixtral: DECODER,
    gemma: DECODER,
    gemma2: DECODER,
    gemma3_text: DECODER,
    qwen2: DECODER,
    qwen3: DECODER,
    phi: DECODER,
    gpt2: ["c_attn", "c_proj"],
    bloom: ["query_key_value", "dense_4h_to_h"],
    opt: ["q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"],
    gptj: ["q_proj", "k_proj", "v_proj", "out_proj", "fc_in", "fc_out"],
    gpt_neox: ["query_key_value", "dense_4h_to_h"],
    falcon: ["query_key_value", "dense_4h_to_h"],
    gpt_bigcode: ["c_attn", "c_proj"],
  },
  PVERA: { phi: ["q_proj", "v_proj"], dinov2: ["query", "value"] },
  SHIRA: { phi: ["q_proj", "v_proj"] },
  VBLORA: {
    t5: ["q", "k", "v", "o", "wi", "wo"],
    mt5: ["q", "k", "v", "o", "wi_0", "wi_1", "wo"],
    bart: ["q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"],
    opt: ["q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"],
    "deberta-v2": ["query_proj", "key_proj", "value_proj", "dense"],
  },
  VERA: { phi: ["q_proj", "v_proj"] },
  WAVEFT: { gpt2: ["mlp.c_proj"], gpt_bigcode: ["mlp.c_proj"] },
};

/** Those of IA3's targets whose input is scaled. */
const IA3_FEEDFORWARD: Targets = {
  t5: ["wo"],
  mt5: [],
  gpt2: ["mlp.c_proj"],
  bloom: ["mlp.dense_4h_to_h"],
  roberta: ["output.dense"],
  opt: ["fc2"],
  gptj: ["fc_out"],
  gpt_neox: ["dense_4h_to_h"],
  gpt_neo: ["c_proj"],
  bart: ["fc2"],
  gpt_bigcode: ["mlp.c_proj"],
  llama: ["down_proj"],
  llama4: ["down_proj"],
  mistral: ["down_proj"],
  mixtral: ["w2"],
  bert: ["output.dense"],
  "deberta-v2": ["output.dense"],
  deberta: ["output.dense"],
  RefinedWeb: ["dense_4h_to_h"],
  RefinedWebModel: ["dense_4h_to_h"],
  falcon: ["dense_4h_to_h"],
  phi: ["fc2"],
  gemma: ["down_proj"],
  gemma2: ["down_proj"],
  gemma3_text: ["down_proj"],
  qwen2: ["down_proj"],
  qwen3: ["down_proj"],
};

/** Methods whose targets LoRA's table says nothing about. */
const APART = new Set(["ADAPTION_PROMPT", "IA3", "LN_TUNING", "OSF"]);
/** What is adapted in models of other types, and in those that do not tell theirs. */
const OTHERWISE: { readonly [peftType: string]: string } = { OSF: "all-linear" };

/** A config with the modules that PEFT adapts by default for a model type, where it names none itself. */
export function withDefaultTargets<C extends TargetConfig>(peftType: string, config: C, modelType: string | undefined): C {
  const named = hasValue(config.targetModules) || hasValue(config.targetParameters);
  if (named) return config;
  const found = targetsOf(peftType, modelType ?? "") ?? ownEntry(OTHERWISE, peftType);
  if (found === undefined) return config;
  const feedforward = peftType === "IA3" && !hasValue((config as { readonly feedforwardModules?: unknown }).feedforwardModules);
  return withValues(config, {
    targetModules: found,
    ...(feedforward && { feedforwardModules: ownEntry(IA3_FEEDFORWARD, modelType ?? "") ?? [] }),
  });
}

const targetsOf = (peftType: string, modelType: string): string | readonly string[] | undefined =>
  ownEntry(ownEntry(OWN, peftType), modelType) ?? (APART.has(peftType) ? undefined : LORA_DEFAULT_TARGETS.get(modelType));

const hasValue = (value: unknown): boolean => value !== null && value !== undefined;
