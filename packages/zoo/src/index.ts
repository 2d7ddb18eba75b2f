export type { KnownModel, Tested } from "./known-model.js";
export { KNOWN_MODELS, knownModel } from "./known-models.js";
export { QLORA_BYTES } from "./qlora-bytes.js";
export { isEncoder, memoryToRun, memoryToTrain, type RunMemory, type Storage, STORAGES, type TrainingSizes } from "./memory.js";
