export {
  initPrompt,
  type KeyValues,
  prefixFromKeyValues,
  type Prompt,
  promptConfig,
  type PromptConfigFields,
  type PromptInputs,
  promptLabels,
  type PromptMethod,
  type PromptModel,
  promptOf,
  type PromptOptions,
  type PromptSource,
  withPrompt,
} from "@weft/tensor-core/prompt";
export { CARTRIDGE, type CartridgeConfigFields } from "./cartridge/cartridge.js";
export { CPT, type CptConfigFields } from "./cpt/cpt.js";
export { cptLoss } from "./cpt/loss.js";
export { MULTITASK_PROMPT_TUNING, type MultitaskPromptTuningConfigFields } from "./multitask-prompt-tuning/multitask-prompt-tuning.js";
export { P_TUNING, type PTuningConfigFields } from "./p-tuning/p-tuning.js";
export { PREFIX_TUNING, type PrefixTuningConfigFields } from "./prefix-tuning/prefix-tuning.js";
export { PROMPT_TUNING, type PromptTuningConfigFields } from "./prompt-tuning/prompt-tuning.js";
