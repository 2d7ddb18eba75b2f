import { createWasmBackend, type WasmBackend } from "@weft/kernels-wasm";

/** A backend for tiles of tensors: a tile has the same bits as that part of the whole tensor, however many rows it has. */
export function createTileBackend(): Promise<WasmBackend> {
  return createWasmBackend({ threads: 1, rowIndependent: true });
}
