export { addArrowRouter, type ArrowOptions } from "./arrow-router.js";
export { initializeLoraCordaWeights } from "./initialize-corda.js";
export { initializeLoraEvaWeights } from "./initialize-eva.js";
export { initializeLoraLoftQWeights, type LoftQOptions } from "./initialize-loftq.js";
export { initializeLoraGaWeights, type LoraGaOptions } from "./initialize-lora-ga.js";
export type { StartOptions } from "./start.js";
