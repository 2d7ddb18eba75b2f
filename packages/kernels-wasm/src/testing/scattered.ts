import { WasmBackend, type WasmBackendOptions } from "../backend.js";
import type { WasmMemory } from "../memory.js";

/** A backend that puts each tensor into the next of three memories, so that hardly a step finds all that it needs in one. */
export function scatteredBackend(options: WasmBackendOptions): WasmBackend {
  const backend = new WasmBackend({ ...options, maxBytesPerMemory: 2 ** 28 });
  const memories: WasmMemory[] = [];
  while (memories.length < 3) {
    const { memory } = backend.allocate(2 ** 27);
    if (!memories.includes(memory)) memories.push(memory);
  }
  let next = 0;
  backend.allocate = (bytes) => memories[next++ % memories.length]!.allocate(bytes);
  return backend;
}
