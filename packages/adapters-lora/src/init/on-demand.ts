// What decomposes weights: one piece, loaded where an adapter begins with it, or has changed its base. Running a LoRA takes none of it.
export { torchSvd } from "@weft/tensor-core/linalg";
export { hostMatrix, pickColumns, pickRows, range, toTensor } from "./host-matrix.js";
export { initLora } from "./init.js";
export { removedFactors, residualWeight } from "./residual.js";
