export { loadPretrained, loadPretrainedEncoder, type PretrainedInput, type PretrainedOptions } from "./load-pretrained.js";
// Types that programs infer of it, under this entry as well: declarations can name them.
export type { BertModel } from "../bert.js";
export type { CausalLM, CausalOutput } from "../causal/causal-lm.js";
export type { CausalInputs, KeyValues, LayerCache } from "../causal/inputs.js";
