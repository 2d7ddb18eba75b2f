export { createWasmBackend, WasmBackend, type WasmBackendOptions } from "./backend.js";
export type { WasmBuffer } from "./memory.js";
