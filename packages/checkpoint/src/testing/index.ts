export { checkpointOf, copyFolder, editJson, filesOf, hashOf, poke, tensorsOf } from "./checkpoints.js";
export { FIXTURES, temporaryFolder } from "./folders.js";
export { everyLycorisModule, gapOf } from "./lycoris-modules.js";
export { type LlamaSizes, makeLlama } from "./make-llama.js";
export { add, expectClose, floats, kron, type Matrix, matrix, product, scalar, stack, stored, vector } from "./matrices.js";
export { FIRST_CASES, firstDifference, MERGED_CASES, mergedCase } from "./peft-cases.js";
export { f32, type StoredTensor, writeTensors } from "./write-tensors.js";
