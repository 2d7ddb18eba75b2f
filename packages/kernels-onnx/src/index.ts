export type { Activations } from "./lower/context.js";
export { createOnnxBackend, OnnxBackend, type OnnxBackendOptions } from "./backend.js";
export type { OnnxBuffer } from "./executable.js";
