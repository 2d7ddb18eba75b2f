export { openGgufPath } from "./open-gguf-path.js";
export { type GgufTensorData, type WriteGgufOptions, writeGguf } from "./write-gguf.js";
export { readImatrix, writeImatrix } from "./imatrix-file.js";
