export { loadPretrained } from "./load-pretrained.js";
// Types that programs infer of it, under this entry as well: declarations can name them.
export type { CausalInputs } from "../llama/inputs.js";
export { type CausalOutput, LlamaForCausalLM } from "../llama/llama.js";
