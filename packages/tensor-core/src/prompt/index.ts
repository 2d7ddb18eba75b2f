export {
  assertSaved,
  type Prompt,
  type PromptInputs,
  promptLabels,
  promptOf,
  type PromptOptions,
  type PromptPass,
  withPrompt,
} from "./apply-prompt.js";
export { embeddingOf, initPrompt, linearOf } from "./init-prompt.js";
export { type KeyValues, prefixFromKeyValues } from "./key-values.js";
export { MAX_SIZE, PROMPT_FIELDS, type PromptConfigFields, type PromptModel, size, text } from "./prompt-config.js";
export { promptConfig } from "./complete-config.js";
export { EMBEDDING, PROMPT, type PromptMethod, type PromptSource, totalTokens } from "./prompt-method.js";
