export type { Activations } from "./arithmetic.js";
export { createWasmBackend, WasmBackend, type WasmBackendOptions } from "./backend.js";
export type { WasmBuffer } from "./memory.js";
