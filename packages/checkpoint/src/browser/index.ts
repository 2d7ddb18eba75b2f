export { mergeFiles, type MergeFilesOptions, type MergeFilesResult } from "./merge-files.js";
