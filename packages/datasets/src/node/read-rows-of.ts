import { downloadDatasetFile, type DownloadOptions, openFileBytes } from "@weft/io-safetensors/node";
import { type ReadOptions, readRows } from "../read/read-rows.js";
import type { Row } from "../read/row.js";

/** How a file on this machine or on the hub is read. */
export interface ReadFileOptions
  extends Omit<ReadOptions, "name">, Pick<DownloadOptions, "offline" | "cache" | "endpoint" | "token" | "onProgress"> {}

/**
 * The rows of the file at a path; or of a data set of the hub, `hf:datasets/user/repo[@revision]/path`, which is fetched into the cache of huggingface_hub first.
 * @see readRows
 * @throws as `readRows`; FormatError kinds `not-found`, `no-permission`, `not-a-file`; as `downloadDatasetFile`
 */
export async function* readRowsOf(
  path: string,
  { offline, cache, endpoint, token, onProgress, ...options }: ReadFileOptions = {},
): AsyncGenerator<Row> {
  const { format: _format, split: _split, ...http } = options;
  const hub = {
    ...http,
    offline,
    ...(cache && { cache }),
    ...(endpoint && { endpoint }),
    ...(token && { token }),
    ...(onProgress && { onProgress }),
  };
  yield* readRows(openFileBytes(path.startsWith("hf:") ? await downloadDatasetFile(path, hub) : path), options);
}
