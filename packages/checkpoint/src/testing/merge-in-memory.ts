import { ADAPTER_METHODS } from "@weft/methods";
import type { WasmBackend } from "@weft/kernels-wasm";
import { FileSet } from "../node/file-set.js";
import { TileEngine } from "../run/engine.js";
import type { Item } from "../plan/item.js";
import type { Methods } from "../node/methods.js";
import { type MergeSettings, prepareMerge } from "../node/prepare.js";
import { processItem, TileMemory } from "../run/process-item.js";

export const METHODS: Methods = { table: ADAPTER_METHODS, files: [] };

/** What `weft merge` does if nothing is said. */
export const MERGE_DEFAULTS: Omit<MergeSettings, "base" | "adapters"> = {
  dtype: undefined,
  safeMerge: false,
  autocastAdapterDtype: true,
  unmerge: false,
  untie: true,
  maxShardSize: undefined,
};

/** The bytes of an item, computed in tiles of about a size. */
export async function computeItem(
  backend: WasmBackend,
  files: FileSet,
  item: Item,
  tileBytes: number,
): Promise<{ bytes: Buffer; tiles: number }> {
  const bytes = Buffer.alloc(item.bytes);
  let tiles = 0;
  const sink = {
    async write(_: Item, memory: Uint8Array, start: number, length: number, at: number): Promise<void> {
      tiles++;
      bytes.set(memory.subarray(start, start + length), at);
    },
  };
  const engine = new TileEngine(backend, ADAPTER_METHODS, true);
  const job = { backend, engine, files, sink, tileBytes, allowNonFinite: false, stats: true, stopped: () => false, progress: () => {} };
  await processItem(item, job, new TileMemory(backend));
  return { bytes, tiles };
}

/** The tensors that `weft merge` would write, without the program around it. */
export async function mergeInMemory(
  backend: WasmBackend,
  settings: Pick<MergeSettings, "base" | "adapters"> & Partial<MergeSettings>,
): Promise<Map<string, { readonly dtype: string; readonly bytes: Buffer }>> {
  const prepared = await prepareMerge({ ...MERGE_DEFAULTS, ...settings }, METHODS);
  const files = new FileSet();
  try {
    const result = new Map<string, { dtype: string; bytes: Buffer }>();
    for (const item of prepared.plan.items) {
      const { bytes } = await computeItem(backend, files, item, 1 << 20);
      result.set(item.name, { dtype: item.dtype, bytes });
    }
    return result;
  } finally {
    await files.close();
    await prepared.close();
  }
}
