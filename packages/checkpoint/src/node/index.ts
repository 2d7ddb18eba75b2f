export { describeQuantization, quantizationOf } from "./quantization-of.js";
export { checkOutput, checkPlace } from "./check-output.js";
export { compareTensors, type TensorDifference } from "./compare-tensors.js";
export { bytesOf, type Place, placesOf, refuseOverwriting, type WriteOptions, writePlaces } from "./converted-files.js";
export {
  type ExtractOptions,
  type ExtractPlan,
  extractAdapter,
  type ExtractedModuleReport,
  type ExtractResult,
} from "./extract-adapter.js";
export type { ExtractSettings } from "./extract/extract-pair.js";
export { ggufModelShape, openGgufAdapter } from "./gguf-adapters.js";
export { type GgufModelShape, writeGgufAdapter } from "./quantize/gguf-adapter.js";
export { FileSet, readTiles, TILE_BYTES } from "./file-set.js";
export { openValues, type OpenedValues, valuesOfCheckpoint } from "./open-values.js";
export { mergeCheckpoint, type MergeOptions, type MergeResult, unmergeCheckpoint } from "./merge-checkpoint.js";
export type { AdapterInput, MergeJobOptions, ResourceOptions } from "./merge-options.js";
export { mergePipeline, type MergePipelineOptions, type MergePipelineResult } from "./merge-pipeline.js";
export { type NamedAdapter, openAdapters } from "./open-adapters.js";
export { type AdapterHints, type Input, type InputWarning, localPath, openAdapterAt, openCheckpoint, openInput } from "./open-input.js";
export { isPipeline } from "./pipeline.js";
export type { MergeInput, MergeMethods, PreparedMerge } from "./prepare.js";
export { checkReport, writeReportFile } from "./report-file.js";
export { filesOf, type SavedFile, saveModules, type SaveModulesOptions } from "./save-modules.js";
export { convertCheckpoint, quantizeCheckpoint, type QuantizeOptions } from "./quantize/quantize-checkpoint.js";
export { type ImportanceOptions, measureImportance } from "./quantize/calibrated/measure-importance.js";
export type { CalibratedOptions, CalibrationInput } from "./quantize/calibrated/run-calibrated.js";
export { quantizeToGguf, type GgufOptions } from "./quantize/quantize-gguf.js";
export type { QuantizedLayer } from "./quantize/quantized-layer.js";
export type { EncodeJobOptions, EncodeResult, PreparedEncode } from "./quantize/run-encode.js";
export { GGUF_TARGETS, type GgufTargetName, QUANT_TARGETS, type QuantTargetName } from "../names.js";
export type { FormatChoice, QuantTarget } from "../quantize/targets.js";
export { serveTask } from "./serve-task.js";
export { StagedFiles } from "./staged-files.js";
export { classNameOf, folderOf, readModelConfig, type SideFile } from "./side-files.js";
export { type Difference, verifyCheckpoint, type VerifyOptions, type VerifyResult } from "./verify-checkpoint.js";
export { viewCheckpoint } from "./view-checkpoint.js";
export { planCheckpoint, type PlanOptions } from "./plan-checkpoint.js";
export type { CheckpointPlan, PlannedInput, Unit } from "./plan-file.js";
export { finishPlan, type FinishPlanOptions, runPlan, type RunPlanOptions, type RunPlanResult } from "./run-plan.js";
