export { type FourBitOptions, FOUR_BIT_BLOCKSIZES, fourBit } from "./bitsandbytes/four-bit.js";
export { DYNAMIC_MAP, UNSIGNED_DYNAMIC_MAP } from "./bitsandbytes/dynamic-map.js";
export { dynamicCodes, quantizeBlockwise } from "./bitsandbytes/blockwise8.js";
export { LLM_INT8 } from "./bitsandbytes/int8.js";
export type { FourBitType } from "./bitsandbytes/levels.js";
export { bytesPer, type PartBytes, quantize, type QuantFormat, type QuantizedWeight, toPacked, unpack } from "./quant-format.js";
export { BITSANDBYTES } from "./files/bitsandbytes.js";
export type { ModuleTensors, QuantFiles, QuantizationConfig, ReadOptions } from "./files/quant-files.js";
export type { GgufFormat } from "./gguf/block-format.js";
export { GGUF_TYPES, type GgufType, ggufWeight } from "./gguf/types.js";
export { AWQ_FILES } from "./files/awq.js";
export { GPTQ_FILES } from "./files/gptq.js";
export { type Nvfp4Options, nvfp4 } from "./float/nvfp4.js";
export { MXFP4 } from "./float/mxfp4.js";
export { scaled, type ScaledOptions } from "./float/scaled.js";
export { awq, type AwqOptions } from "./integer/awq.js";
export type { IntegerBits } from "./integer/bits-at.js";
export { packQuantized, type PackQuantizedOptions } from "./integer/compressed.js";
export { gptq, type GptqOptions } from "./integer/gptq.js";
export type { IntegerFormat, Integers } from "./integer/integer-format.js";
export { memorySaved, type MemorySaved, type PlainWeight, quantizeNF4, type QuantizeNF4Options } from "./plain.js";
export { QLoraLinear, type QLoraOptions, type QLoraParameters } from "./qlora-linear.js";
export { dequantize, requantize, type Requantized, roundTrip } from "./requantize.js";
export { COMPRESSED_TENSORS } from "./files/compressed-tensors.js";
export { MXFP4_FILES } from "./files/mxfp4.js";
export { COMFY_FP8_FILES, FP8_FILES } from "./files/scaled.js";
export { encodeOnto } from "./encode-onto.js";
export { type PartPiece, RowEncoder, rowsPerBlock } from "./row-encoder.js";
export { weightRows } from "./weight-rows.js";
export { quantFilesOf, quantizedTensors, type WrittenWeight } from "./files/module-tensors.js";
export { QUANT_FILES } from "./files/table.js";
export {
  addGram,
  addStatistics,
  emptyStatistics,
  importanceOf,
  type InputStatistics,
  inputStatistics,
  resultError,
  type StatisticsOfSample,
} from "./calibrated/input-statistics.js";
export type { GptqSolverOptions } from "./calibrated/gptq-solver.js";
export { type CalibratedWeight, type QuantizeGPTQOptions, quantizeWeightGPTQ } from "./calibrated/quantize-weight-gptq.js";
export { calibrate, type CalibrateOptions, type Calibration } from "./calibrated/calibrate.js";
export { calibrationSamples, cutSamples, type CutOptions, type SampleOptions, type Samples } from "./calibrated/samples.js";
export { type AwqSearchOptions, type ScaleSearch, searchClip, searchScales, type StackedWeights } from "./calibrated/awq-search.js";
export { quantizeAWQ, type QuantizeAWQOptions } from "./calibrated/quantize-awq.js";
export { quantizeGPTQ, type QuantizeModelGPTQOptions } from "./calibrated/quantize-gptq.js";
export type { QuantizedBlock, QuantizedModel, QuantizeModelOptions } from "./calibrated/quantized-model.js";
export type { GptqFactorOptions } from "./calibrated/gptq-factor.js";
export type { OpenStore } from "./calibrated/kept-samples.js";
export type { SampleStore } from "./calibrated/sample-store.js";
export type { WalkOptions } from "./calibrated/walk.js";
export {
  chooseFormats,
  type ChosenFormats,
  type Cost,
  type FormatChoice,
  type LayerChoices,
  measureFormats,
} from "./calibrated/choose-formats.js";
export { hqq, type HqqOptions } from "./integer/hqq.js";
export { HQQ_FILES } from "./files/hqq.js";
