export { type FileBytes, ioError, openFileBytes } from "./file-bytes.js";
export { fileOf, openWeights } from "./open-path.js";
