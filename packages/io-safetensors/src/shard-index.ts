import type { WeftErrorKind } from "@weft/tensor-core";
import { formatError, noSuchTensor, show } from "./format-error.js";
import { JsonNumber, parseStrictJson } from "./json-scanner.js";
import type { LocatedTensor, WeightSource } from "./weight-source.js";

/** An index of a large checkpoint: one entry of some 100 bytes for each of at most a million tensors. */
export const MAX_INDEX_BYTES: number = 128 << 20;

/** One path segment and the right ending: an index must not reach outside its folder, nor open other kinds of files. */
const SHARD_NAME = /^(?!\.)[A-Za-z0-9._-]{1,255}$/;

/** What an index says. */
export interface ShardIndex {
  /** Tensor name → file name. */
  readonly weightMap: ReadonlyMap<string, string>;
  readonly totalSize: number | undefined;
}

/** Reads `model.safetensors.index.json`. @throws FormatError kinds `index-json`, `index-schema`, `unsafe-path`, `unsupported-pickle`, `duplicate-key`, `limit` */
export function parseShardIndex(bytes: Uint8Array, file: string): ShardIndex {
  const fail = (kind: WeftErrorKind<"format">, message: string, hint?: string): never => {
    throw formatError(kind, file, message, undefined, hint);
  };
  const root = parseStrictJson(bytes, { file, maxBytes: MAX_INDEX_BYTES, kinds: { utf8: "index-json", json: "index-json" } });
  const map = root instanceof Map ? root.get("weight_map") : undefined;
  if (!(map instanceof Map)) return fail("index-schema", "weight_map must be an object");
  const weightMap = new Map<string, string>();
  for (const [name, shard] of map) {
    if (typeof shard !== "string") return fail("index-schema", `the shard of ${show(name)} must be a file name`);
    if (!SHARD_NAME.test(shard))
      return fail("unsafe-path", `shard ${show(shard)} is not a plain file name`, "shards must lie beside the index");
    if (!shard.endsWith(".safetensors")) return fail("unsupported-pickle", `shard ${show(shard)} is not a safetensors file`);
    weightMap.set(name, shard);
  }
  const metadata = (root as Map<string, unknown>).get("metadata");
  const total = metadata instanceof Map ? (metadata.get("total_size") as unknown) : undefined;
  return { weightMap, totalSize: total instanceof JsonNumber ? total.value : undefined };
}

/**
 * Several files as one source: each tensor lies in the shard that the index names, and in no other.
 * @throws FormatError kind `index-mismatch`
 */
export function joinShards(index: ShardIndex, shards: ReadonlyMap<string, WeightSource>, file: string): WeightSource {
  let size = 0;
  for (const [shard, source] of shards) {
    for (const name of source.names()) {
      if (index.weightMap.get(name) !== shard)
        throw formatError(
          "index-mismatch",
          file,
          `it lies in ${shard}, the index says ${index.weightMap.get(name) ?? "nothing of it"}`,
          name,
        );
      size += source.info(name).bytes;
    }
  }
  for (const [name, shard] of index.weightMap) {
    if (!shards.get(shard)!.has(name)) throw formatError("index-mismatch", file, `it is not in its shard ${shard}`, name);
  }
  const owner = (name: string): WeightSource => {
    const shard = index.weightMap.get(name);
    if (shard === undefined) throw noSuchTensor(name, file);
    return shards.get(shard)!;
  };
  const warnings = [...shards.values()].flatMap((s) => s.warnings);
  if (index.totalSize !== undefined && index.totalSize !== size)
    warnings.push(`${file}: total_size is ${index.totalSize}, the tensors take ${size} bytes`);
  return {
    location: file,
    metadata: new Map([...shards.values()].flatMap((s) => [...s.metadata])),
    warnings,
    names: () => index.weightMap.keys(),
    has: (name) => index.weightMap.has(name),
    info: (name): LocatedTensor => owner(name).info(name),
    read: async (name, rows) => owner(name).read(name, rows),
    close: async () => void (await Promise.all([...shards.values()].map((s) => s.close()))),
  };
}
