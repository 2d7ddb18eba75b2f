export { AtomicFile, type AtomicFileOptions, removeStale, syncFolder, temporaryPath, writeAll, writeFileAtomic } from "./atomic-file.js";
export { type FileBytes, ioError, openFileBytes, readSmallFile } from "./file-bytes.js";
export { cachedSnapshot, hubCacheFolder } from "./hub-cache.js";
export {
  type CachedFile,
  downloadDatasetFile,
  downloadFiles,
  downloadModel,
  type DownloadOptions,
  hubFiles,
  verifyCached,
} from "./hub-download.js";
export { hashFile, Journal, JOURNAL, type JournalLine } from "./journal.js";
export { fileOf, openWeights } from "./open-path.js";
export { type TensorData, writeSafetensors, writeSafetensorsFile, type WriteFileOptions, type WriteOptions } from "./write-safetensors.js";
export { type LaidOut, type PieceOfFile, stageLaidOut, writeLaidOut } from "./write-laid-out.js";
