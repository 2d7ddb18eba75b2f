export { openCheckpoint, type OpenedCheckpoint } from "./open-checkpoint.js";
export { type CheckpointOptions, checkpointSteps, saveCheckpoint, saveTo } from "./save-checkpoint.js";
