import { type BytesInput, bytesOfInput, bytesOfBlob } from "./byte-sources.js";
import type { HttpOptions } from "./bytes-of-url.js";
import { formatError } from "./format-error.js";
import { openFile } from "./safetensors-file.js";
import type { WeightSource } from "./weight-source.js";

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
  // One file that is there is the common case; what URLs and shards take is loaded for them.
  if (typeof input === "string" || input instanceof URL) return (await import("./open-url.js")).openUrl(input, options);
  return "length" in input && !("byteLength" in input) ? openBlobs([...input]) : openFile(await bytesOfInput(input));
}

async function openBlobs(blobs: readonly Blob[]): Promise<WeightSource> {
  const named = new Map(blobs.map((b) => [(b as File).name, b]));
  const index = blobs.find((b) => (b as File).name?.endsWith(".index.json"));
  if (!index && blobs.length === 1) return openFile(bytesOfBlob(blobs[0]!));
  if (!index) throw formatError("missing-index", "model.safetensors.index.json", `no index is among the ${blobs.length} files`);
  const { openIndex } = await import("./open-index.js");
  return openIndex(bytesOfBlob(index), (index as File).name, async (shard) => {
    const blob = named.get(shard);
    if (!blob) throw formatError("missing-shard", shard, "the index names this shard, but it was not given");
    return bytesOfBlob(blob);
  });
}
