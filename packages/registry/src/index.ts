export { COMMON_FIELDS, FLOAT_FIELDS } from "./config/common-fields.js";
export { type AdapterConfig, readAdapterConfig, type ReadConfigOptions } from "./config/read-config.js";
export { writeAdapterConfig } from "./config/write-config.js";
export { type AdapterKey, type KeyContext, MAX_KEY_LENGTH, parseKey } from "./keys/parse-key.js";
export { LORA_DEFAULT_TARGETS } from "./matching/default-targets.js";
export { withDefaultTargets } from "./matching/method-targets.js";
export { createModuleConfig, createPatternPicker, MAX_PATTERN_WORK } from "./matching/pattern-key.js";
export { MAX_REGEX_NESTING, MAX_REGEX_REPEAT, type RegexDialect, translatePythonRegex } from "./matching/python-regex.js";
export {
  type Anchoring,
  MAX_PATTERN_LENGTH,
  type RegexEngine,
  type RegexMatch,
  loadRegexEngine,
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
export * from "./algebra/index.js";
export * from "./dialects/index.js";
export { moduleOrder } from "./matching/module-order.js";
export { moduleIndex } from "./report/module-index.js";
export { type AdapterHost, attachAdapter, type AttachedAdapter, type AttachOptions } from "./attach.js";
export { layersFor } from "./layers-for.js";
export type { AdapterWarning, AdapterWarningKind } from "./adapter-warning.js";
export { type AttachedPrompt, attachPrompt, type PromptHost } from "./prompt/attach-prompt.js";
export { trainedTokens } from "./trained-tokens.js";
export { readAdapterTensor, readTensor } from "./read-tensor.js";
export {
  type AdapterModule,
  type AdapterSource,
  type AdapterTensor,
  openAdapter,
  type OpenAdapterOptions,
  type OpenedAdapter,
} from "./open-adapter.js";
export { type BaseTensors, withPlacements } from "./report/base-index.js";
export { assertMatch, describeReport } from "./report/describe-report.js";
export { matchAdapter } from "./report/match-adapter.js";
export type { MatchedModule, MatchOptions, MatchReport, Mismatch, Missing, Replacement, SharedParameter } from "./report/match-report.js";
export type { ModelKind } from "./transformers/conversions-of.js";
export { estimateMemory, type MemoryEstimate } from "./report/estimate-memory.js";
export { editDistance, nearestNames } from "./report/nearest.js";
export { boxOfWeight, type PlacedPart, type Placement } from "./report/placement.js";
export { applyRule, type PathRule } from "./report/path-rule.js";
export type { AdapterParameters, AdapterState, PromptState } from "./model/adapter-state.js";
export type { Experts } from "./model/expert-state.js";
export { combineAdapters } from "./model/combine.js";
export type { HookedLayer, HookedModel, HookedModule, LayerHook } from "./model/hooked-model.js";
export { type ConfigInput, newAdapter, type NewAdapterOptions } from "./model/new-state.js";
export { loadAdapterGroup, peftModelOf } from "./model/adapter-group.js";
export { getPeftModel } from "./model/get-peft-model.js";
export { type InjectedAdapter, injectAdapter } from "./model/inject-adapter.js";
export { addArrowRouter, type ArrowOptions } from "./model/arrow-router.js";
export { initializeLoraCordaWeights } from "./model/starts/initialize-corda.js";
export { initializeLoraEvaWeights } from "./model/starts/initialize-eva.js";
export { initializeLoraGaWeights, type LoraGaOptions } from "./model/starts/initialize-lora-ga.js";
export { initializeLoraLoftQWeights, type LoftQOptions } from "./model/starts/initialize-loftq.js";
export type { StartOptions } from "./model/starts/start.js";
export { glob } from "./matching/glob.js";
export { saveFiles, type SaveOptions } from "./model/adapter-files.js";
export { modelCard } from "./model/model-card.js";
export { configText, stateDict } from "./model/state-dict.js";
export type { LoadAdapterOptions } from "./model/load-state.js";
export type { ForwardOptions } from "./model/active-adapters.js";
export { type MergeOptions, PeftModel } from "./model/peft-model.js";
