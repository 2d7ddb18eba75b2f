export {
  type Conversion,
  convertAdapter,
  type ConvertOptions,
  guessNotes,
  writeModules,
  type WriteModulesOptions,
} from "./convert/convert-adapter.js";
export { withComponents } from "./convert/components.js";
export { type ConvertModule, convertModules, type Loss, type Piece } from "./convert/convert-module.js";
export { withDots } from "./convert/dotted-paths.js";
export { asPlainLora } from "./convert/expand.js";
export type { LazyTensor } from "./convert/lazy-tensor.js";
export { type Verification, verifyConversion, type VerifyOptions } from "./convert/verify.js";
export { type Detection, detectDialect, type KeySource } from "./detect-dialect.js";
export type { Component, Dialect, DialectHints, DialectKey, DialectName } from "./dialect.js";
export { DIALECTS } from "./dialects.js";
export { BaseNames, type BaseTarget } from "./names/base-names.js";
export { NAME_MAPS, type Naming, namingOf } from "./names/families.js";
export { type Family, type NameMap, type Part, partRows, type Renamed } from "./names/name-map.js";
export { guessPath } from "./names/tokenize.js";
export { PIPELINE_FOLDERS } from "./pipeline-folders.js";
export { type ResolvedAdapter, resolveNames, type Unplaced } from "./resolve-names.js";
export { hasPlainFactors, type SpecialLora, specialLora } from "./special-lora.js";
export type { ConvertedFile, ConvertTarget, TargetName, WriteContext } from "./targets/target.js";
export { TARGETS } from "./targets/targets.js";
