import { createWasmBackend, type WasmBackend } from "@weft/kernels-wasm";
import type { Claims } from "./tile-graph.js";

/** A backend for tiles of tensors: a tile has the same bits as that part of the whole tensor, however many rows it has. */
export function createTileBackend(): Promise<WasmBackend> {
  return createWasmBackend({ threads: 1, rowIndependent: true });
}

/** The composites that plans of tiles keep. Tiles are lowered while others run: what loads kernels first is left to its decomposition. */
export const tileClaims =
  (backend: WasmBackend): Claims =>
  (call) =>
    call.name !== "quantLinear" && backend.claims(call);
