export type { AdaptedCausalLM, GenerativeModel } from "./engine/batch-decoder.js";
export { type EngineCounts, type EngineOptions, GenerationEngine } from "./engine/engine.js";
export { promptLookup, type PromptLookupOptions } from "./engine/prompt-lookup.js";
export type { Choice, TokenRequest } from "./engine/token-request.js";
export { draw, type DrawPlace } from "./sampling/draw.js";
