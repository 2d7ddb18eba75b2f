export { clampFactors } from "./algebra/clamp-factors.js";
export { COMBINATION_TYPES, type CombinationType } from "./algebra/combination-type.js";
export { combineModules, type Summand } from "./algebra/combine-modules.js";
export {
  type Combined,
  combineDeltas,
  type CombineOptions,
  combineSources,
  type DeltaSource,
  type Source,
} from "./algebra/combine-sources.js";
export { decompose, type Decomposed } from "./algebra/decompose.js";
export { extractDelta, type Extracted, type ExtractOptions } from "./algebra/extract-delta.js";
export { type Factors, factorsOf } from "./algebra/factors.js";
export { type LoraFactors, loraFactors } from "./algebra/lora-factors.js";
export { extractedModule, type FactorDType, readFactors, storedTensor, wholeModule, withFactors } from "./algebra/lora-module.js";
export { plainSource } from "./algebra/plain-source.js";
export { checkRankRule, countKept, type RankRule, type Spectrum } from "./algebra/rank-rule.js";
export { type Resized, resizeFactors } from "./algebra/resize-factors.js";
export { resizedRank, type ResizeRule } from "./algebra/resize-rule.js";
export { splitKernel, type TuckerParts } from "./algebra/small-conv.js";
export { withComponents } from "./conversion/components.js";
export {
  type Conversion,
  convertAdapter,
  type ConvertOptions,
  guessNotes,
  nothingLeft,
  writeModules,
  type WriteModulesOptions,
} from "./conversion/convert-adapter.js";
export { convertModules, type ConvertModulesOptions } from "./conversion/convert-modules.js";
export type { ConvertModule, Loss, Piece } from "./conversion/convert-module.js";
export { withDots } from "./conversion/dotted-paths.js";
export { asPlainLora } from "./conversion/expand.js";
export type { LazyTensor } from "./conversion/lazy-tensor.js";
export { type Verification, verifyConversion, type VerifyOptions } from "./conversion/verify.js";
export type { ConvertedFile, ConvertTarget, TargetName, WriteContext } from "./targets/target.js";
export { TARGETS } from "./targets/targets.js";
