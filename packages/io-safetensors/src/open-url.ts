import { absoluteUrl, bytesOfUrl, type HttpOptions } from "./bytes-of-url.js";
import { openIndex } from "./open-index.js";
import { openFile } from "./safetensors-file.js";
import type { WeightSource } from "./weight-source.js";

/** Opens a file, or the shards of an index, over HTTP. @throws IoError kinds `url`, `http` */
export async function openUrl(address: string | URL, options: HttpOptions): Promise<WeightSource> {
  const url = absoluteUrl(address);
  if (!new URL(url).pathname.endsWith(".index.json")) return openFile(await bytesOfUrl(url, options));
  const index = await bytesOfUrl(url, options);
  return openIndex(index, url, (shard) => bytesOfUrl(new URL(shard, url), options));
}
