import { dirname, join } from "node:path";
import { openFileBytes } from "@weft/io-safetensors/node";
import { type GgufInput, openGguf, openSplits } from "../open-gguf.js";
import type { GgufFile } from "../gguf-file.js";
import type { HttpOptions } from "@weft/io-safetensors";

/**
 * Opens a file by its path, and with it the other files of its model if it is one of several; or what `openGguf` takes.
 * @throws as `openGguf`; FormatError kinds `not-found`, `no-permission`, `not-a-file`
 */
export async function openGgufPath(input: GgufInput, options: HttpOptions = {}): Promise<GgufFile> {
  if (typeof input !== "string" || /^https?:\/\//.test(input)) return openGguf(input, options);
  return openSplits(input, (name) => openFileBytes(join(dirname(input), name)));
}
