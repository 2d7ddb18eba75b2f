export type { ConfigJson } from "./config-fields.js";
export { type LayerHook, runLayer } from "./hooks.js";
export { type LlamaConfig, readLlamaConfig } from "./llama/config.js";
export type { CausalInputs, KeyValues } from "./llama/inputs.js";
export { type CausalOutput, LlamaForCausalLM, type LlamaOptions, type NamedLayer } from "./llama/llama.js";
export { llamaModules, llamaParameters, type ModuleDescription } from "./llama/modules.js";
export { type Frequencies, ropeFrequencies } from "./llama/rope.js";
export type { RopeConfig } from "./llama/rope-config.js";
export { loadWeights, type LoadOptions, weightOf, type Weights } from "./weights.js";
