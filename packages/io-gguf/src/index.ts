export { GGML_TYPES, type GgmlType, type GgmlTypeName } from "./ggml-types.js";
export { type GgufEntry, type GgufLayout, layoutGguf, type PlacedGguf } from "./layout-gguf.js";
export { type GgufData, type GgufFile, type GgufInput, openGguf } from "./open-gguf.js";
export { type GgufHeader, type GgufTensor, readHeader } from "./read-header.js";
export { splitName, splitNames } from "./splits.js";
export type { GgufMetadata, GgufNumberType, GgufScalarType, GgufText, GgufValue } from "./values.js";
export type { GgufPlacement } from "./names/architecture.js";
export { permuteHeads } from "./names/permute-heads.js";
export { type NamedTensor, type TensorNames, tensorNames } from "./names/tensor-names.js";
