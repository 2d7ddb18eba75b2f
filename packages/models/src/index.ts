export type { Architecture } from "./architecture.js";
export { BERT, type BertConfig, BertModel, type EncoderInputs, type EncoderOutput } from "./bert.js";
export {
  BERT_FOR_SEQUENCE_CLASSIFICATION,
  BERT_FOR_TOKEN_CLASSIFICATION,
  BertClassifier,
  type BertClassifierConfig,
  type BertHead,
  type ClassifierOutput,
  type NewHeadOptions,
  withNewHead,
} from "./bert-heads.js";
export type { CacheOptions } from "./causal/cache.js";
export type { CausalConfig, CausalLM, CausalOutput } from "./causal/causal-lm.js";
export type { CausalInputs, KeyValues, LayerCache } from "./causal/inputs.js";
export { type ConfigJson, parseConfig } from "./config-fields.js";
export { GPT2, type Gpt2Config, Gpt2LMHeadModel } from "./gpt2.js";
export { type LayerHook, runLayer } from "./hooks.js";
export { readLlamaConfig } from "./llama/config.js";
export type { LlamaConfig } from "./llama/llama-config.js";
export { LLAMA, LlamaForCausalLM } from "./llama/llama.js";
export { llamaModules, llamaParameters } from "./llama/modules.js";
export { type Frequencies, ropeFrequencies } from "./llama/rope.js";
export type { RopeConfig } from "./llama/rope-config.js";
export { loadCausalLM, loadEncoder, parameterShapes } from "./load.js";
export type { MambaState } from "./mamba/backbone.js";
export { MAMBA, type MambaConfig, MambaForCausalLM } from "./mamba/mamba.js";
export { MAMBA2, type Mamba2Config, Mamba2ForCausalLM } from "./mamba/mamba2.js";
export { Model, type ModelOptions, type NamedLayer } from "./model.js";
export type { ModuleDescription } from "./modules.js";
export type { GgufModelInput } from "./sources/gguf-model.js";
export type { ParameterSource, StoredParameter, StoredPart } from "./sources/parameter-source.js";
export { unreadParameters, type UnreadOptions } from "./sources/unread-parameters.js";
export { meanPooled, normalized, pooled, type Pooling } from "./pooling.js";
export { RWKV, type RwkvConfig, RwkvForCausalLM, type RwkvState } from "./rwkv.js";
export { loadWeights, type LoadOptions, weightOf, type Weights } from "./weights.js";
