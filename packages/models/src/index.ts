export { type LayerHook, runLayer } from "./hooks.js";
export { type LlamaConfig, readLlamaConfig, type RopeConfig } from "./llama/config.js";
export { type CausalInputs, type CausalOutput, LlamaForCausalLM, type NamedLayer } from "./llama/llama.js";
export { ropeFrequencies } from "./llama/rope.js";
export { loadWeights, weightOf, type Weights } from "./weights.js";
