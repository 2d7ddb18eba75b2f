export { type MergeBlocker, mergeBlocker } from "./changes/merge-blocker.js";
export { formatBytes } from "./format-bytes.js";
export type { JobProgress, OnProgress } from "./job-progress.js";
export { type PeftState, splitPeftState } from "./source/peft-state.js";
export { renamedSource } from "./source/renamed-source.js";
export { valuesOf } from "./source/values.js";
