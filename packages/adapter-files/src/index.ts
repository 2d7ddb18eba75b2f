export type { AdapterWarning, AdapterWarningKind } from "./adapter-warning.js";
export { COMMON_FIELDS } from "./config/common-fields.js";
export { parseConfigJson } from "./config/json.js";
export { type AdapterConfig, readAdapterConfig, type ReadConfigOptions } from "./config/read-config.js";
export { writeAdapterConfig } from "./config/write-config.js";
export { refuseUnrunnable, specialForm } from "./special-form.js";
export { type AdapterKey, type KeyContext, MAX_KEY_LENGTH, parseKey } from "./keys/parse-key.js";
export { sharedKeys } from "./keys/shared-keys.js";
export { createChosenBy } from "./matching/chosen-by.js";
export { LORA_DEFAULT_TARGETS } from "./matching/default-targets.js";
export { glob } from "./matching/glob.js";
export { withDefaultTargets } from "./matching/method-targets.js";
export { moduleOrder } from "./matching/module-order.js";
export { createModuleConfig, createPatternPicker, MAX_PATTERN_WORK, type PatternedConfig } from "./matching/pattern-key.js";
export { prepareRegex } from "./matching/prepare-regex.js";
export {
  type Anchoring,
  loadRegexEngine,
  MAX_PATTERN_LENGTH,
  type RegexEngine,
  type RegexMatch,
  safeRegex,
} from "./matching/regex-engine.js";
export { selectParameters } from "./matching/target-parameters.js";
export {
  createTargetMatcher,
  type ModuleName,
  selectTargets,
  type TargetConfig,
  type TargetOptions,
  type TargetSelection,
} from "./matching/targets.js";
export { openAdapter } from "./open-adapter.js";
export type { AdapterModule, AdapterSource, AdapterTensor, OpenAdapterOptions, OpenedAdapter } from "./opened-adapter.js";
export { heldAs, readAdapterTensor, readTensor } from "./read-tensor.js";
export { type BaseTensors, withPlacements } from "./report/base-index.js";
export { assertMatch, describeReport } from "./report/describe-report.js";
export { estimateMemory, type MemoryEstimate } from "./report/estimate-memory.js";
export { fitLayers, type FittedLayer } from "./report/layer-of.js";
export { matchAdapter } from "./report/match-adapter.js";
export type { MatchedModule, MatchOptions, MatchReport, Mismatch, Missing, Replacement, SharedParameter } from "./report/match-report.js";
export { moduleIndex } from "./report/module-index.js";
export { applyRule, type PathRule } from "./report/path-rule.js";
export { boxOfWeight, exchanged, type PlacedPart, type Placement, placeWhole } from "./report/placement.js";
export { trainedTokens } from "./trained-tokens.js";
export type { ModelKind } from "./transformers/model-kind.js";
