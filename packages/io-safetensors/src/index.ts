export { type BytesInput, bytesOfInput, bytesOfBlob, bytesOfMemory } from "./byte-sources.js";
export type { HttpOptions } from "./bytes-of-url.js";
export { bitsPerElement, fromCoreDType, parseDType, SAFETENSORS_DTYPES, type SafetensorsDType, toCoreDType } from "./dtypes.js";
export { errorAt, noSuchTensor, type Place, show } from "./format-error.js";
export { type Header, MAX_HEADER_BYTES, MAX_TENSORS, parseHeader, type TensorInfo } from "./header.js";
export {
  type JsonKinds,
  JsonNumber,
  type JsonValue,
  MAX_CONFIG_BYTES,
  MAX_JSON_DEPTH,
  parseStrictJson,
  plainJson,
  type StrictJsonOptions,
} from "./json-scanner.js";
export { openSafetensors, type SafetensorsInput } from "./open.js";
export { observeReads } from "./observe-reads.js";
export { openFile, readHeader } from "./safetensors-file.js";
export { findQuantization, type Quantization } from "./quantization/find-quantization.js";
export { QUANTIZATION_FORMATS, type QuantizationFormat } from "./quantization/formats.js";
export { describeZero3, refuseZero3, zero3Leftovers } from "./zero3-leftovers.js";
export {
  type ByteSource,
  type LocatedTensor,
  refuseForeign,
  rowBytes,
  type RowRange,
  type TensorView,
  type WeightSource,
} from "./weight-source.js";
export { type FileLayout, layoutFile, type PlacedTensor, tensorBytes, type TensorEntry } from "./encode-header.js";
export { indexText, parseShardSize, planShards, type ShardPlan } from "./shards.js";
