import { type BytesInput, bytesOfInput, bytesOfBlob } from "./byte-sources.js";
import { absoluteUrl, bytesOfUrl, type HttpOptions } from "./bytes-of-url.js";
import { formatError } from "./format-error.js";
import { openFile } from "./safetensors-file.js";
import { joinShards, MAX_INDEX_BYTES, parseShardIndex } from "./shard-index.js";
import type { ByteSource, WeightSource } from "./weight-source.js";

/** Several files, as an `<input type=file multiple>` gives them: shards and their index. */
type Blobs = readonly Blob[] | (Iterable<Blob> & { readonly length: number; item(index: number): Blob | null });

/**
 * What can be opened without a file system: bytes, the answer to a `fetch`, a Blob or File, several of them (a list or the FileList of an `<input>`: shards and
 * their index), or a URL of a file or an index, in a page also a relative one.
 */
export type SafetensorsInput = BytesInput | Blobs | URL | string;

/**
 * Opens a checkpoint for reading; only headers are read.
 * @throws FormatError with the kinds of the format's checks; IoError kind `http`
 */
export async function openSafetensors(input: SafetensorsInput, options: HttpOptions = {}): Promise<WeightSource> {
  if (typeof input === "string" || input instanceof URL) return openUrl(absoluteUrl(input), options);
  return "length" in input && !("byteLength" in input) ? openBlobs([...input]) : openFile(await bytesOfInput(input));
}

async function openUrl(url: string, options: HttpOptions): Promise<WeightSource> {
  if (!new URL(url).pathname.endsWith(".index.json")) return openFile(await bytesOfUrl(url, options));
  const index = await bytesOfUrl(url, options);
  return openIndex(index, url, (shard) => bytesOfUrl(new URL(shard, url), options));
}

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

async function openBlobs(blobs: readonly Blob[]): Promise<WeightSource> {
  const named = new Map(blobs.map((b) => [(b as File).name, b]));
  const index = blobs.find((b) => (b as File).name?.endsWith(".index.json"));
  if (!index && blobs.length === 1) return openFile(bytesOfBlob(blobs[0]!));
  if (!index) throw formatError("missing-index", "model.safetensors.index.json", `no index is among the ${blobs.length} files`);
  return openIndex(bytesOfBlob(index), (index as File).name, async (shard) => {
    const blob = named.get(shard);
    if (!blob) throw formatError("missing-shard", shard, "the index names this shard, but it was not given");
    return bytesOfBlob(blob);
  });
}
