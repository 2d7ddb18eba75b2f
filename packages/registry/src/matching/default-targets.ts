import type { TargetConfig } from "./targets.js";
import { withValues } from "./with-values.js";

/**
 * Modules that PEFT 0.21.2 adapts by default, by `model_type`, for LoRA and the methods that share its table.
 * @see peft `utils/constants.py` (`TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING`)
 */
export const LORA_DEFAULT_TARGETS: ReadonlyMap<string, string | readonly string[]> = new Map<string, string | readonly string[]>([
  ["t5", ["q", "v"]],
  ["mt5", ["q", "v"]],
  ["bart", ["q_proj", "v_proj"]],
  ["gpt2", ["c_attn"]],
  ["bloom", ["query_key_value"]],
  ["blip-2", ["q", "v", "q_proj", "v_proj"]],
  ["opt", ["q_proj", "v_proj"]],
  ["gptj", ["q_proj", "v_proj"]],
  ["gpt_neox", ["query_key_value"]],
  ["gpt_neo", ["q_proj", "v_proj"]],
  ["bert", ["query", "value"]],
  ["roberta", ["query", "value"]],
  ["xlm-roberta", ["query", "value"]],
  ["electra", ["query", "value"]],
  ["deberta-v2", ["query_proj", "value_proj"]],
  ["deberta", ["in_proj"]],
  ["layoutlm", ["query", "value"]],
  ["llama", ["q_proj", "v_proj"]],
  ["llama4", ["q_proj", "v_proj"]],
  ["chatglm", ["query_key_value"]],
  ["gpt_bigcode", ["c_attn"]],
  ["mpt", ["Wqkv"]],
  ["RefinedWebModel", ["query_key_value"]],
  ["RefinedWeb", ["query_key_value"]],
  ["falcon", ["query_key_value"]],
  ["btlm", ["c_proj", "c_attn"]],
  ["codegen", ["qkv_proj"]],
  ["mistral", ["q_proj", "v_proj"]],
  ["mixtral", ["q_proj", "v_proj"]],
  ["stablelm", ["q_proj", "v_proj"]],
  ["phi", ["q_proj", "v_proj", "fc1", "fc2"]],
  ["gemma", ["q_proj", "v_proj"]],
  ["gemma2", ["q_proj", "v_proj"]],
  ["gemma3_text", ["q_proj", "v_proj"]],
  ["gemma4", ".*language_model\\..*\\.(q_proj|v_proj)"],
  ["qwen2", ["q_proj", "v_proj"]],
  ["qwen3", ["q_proj", "v_proj"]],
  ["nemotron_h", ["q_proj", "k_proj", "v_proj", "o_proj"]],
  ["rwkv", ["key", "value", "receptance", "output"]],
  ["rwkv7", ["r_proj", "k_proj", "v_proj", "o_proj", "key", "value"]],
]);

/** The targets of a config, or those of its model type where it names none. */
export function resolveTargets<C extends TargetConfig>(
  config: C,
  modelType: string | undefined,
  defaults: ReadonlyMap<string, string | readonly string[]> = LORA_DEFAULT_TARGETS,
): C {
  if (hasValue(config.targetModules) || hasValue(config.targetParameters) || modelType === undefined) return config;
  const targets = defaults.get(modelType);
  return targets === undefined ? config : withValues(config, { targetModules: targets });
}

const hasValue = (value: unknown): boolean => value !== null && value !== undefined;
