import { statSync } from "node:fs";
import { join } from "node:path";
import { ioError } from "@weft/io-safetensors/node";
import { WeftError } from "@weft/tensor-core";
import { MAX_TOKENIZER_BYTES } from "../limits.js";
import { loadRegexEngine } from "../regex/engine.js";
import { Tokenizer } from "../tokenizer.js";
import { readBounded } from "./read-bounded.js";

/**
 * The tokenizer of a `tokenizer.json`, or of the folder that it lies in.
 * @throws as `Tokenizer.fromJson`; FormatError kinds `not-found`, `no-permission`, `not-a-file`; IoError
 */
export async function openTokenizer(path: string): Promise<Tokenizer> {
  const file = isFolder(path) ? join(path, "tokenizer.json") : path;
  const bytes = readBounded(file, MAX_TOKENIZER_BYTES);
  try {
    return Tokenizer.fromJson(bytes, file);
  } catch (error) {
    if (!(error instanceof WeftError) || error.kind !== "regex-not-loaded") throw error;
    await loadRegexEngine();
    return Tokenizer.fromJson(bytes, file);
  }
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch (error) {
    throw ioError(error, path, "read");
  }
}
