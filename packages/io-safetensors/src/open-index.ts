import { formatError } from "./format-error.js";
import { openFile } from "./safetensors-file.js";
import { joinShards, MAX_INDEX_BYTES, parseShardIndex } from "./shard-index.js";
import type { ByteSource, WeightSource } from "./weight-source.js";

/** The shards that an index names, opened through `open`. */
export async function openIndex(source: ByteSource, location: string, open: (shard: string) => Promise<ByteSource>): Promise<WeightSource> {
  if (source.size > MAX_INDEX_BYTES) throw formatError("limit", location, `${source.size} bytes, at most ${MAX_INDEX_BYTES} are read`);
  const index = parseShardIndex(await source.read(0, source.size), location);
  const opened = new Map<string, WeightSource>();
  try {
    for (const shard of new Set(index.weightMap.values())) opened.set(shard, await openFile(await open(shard)));
    return joinShards(index, opened, location);
  } catch (error) {
    await Promise.all([...opened.values()].map((s) => s.close()));
    throw error;
  }
}
