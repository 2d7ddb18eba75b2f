import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { ioError } from "@weft/io-safetensors/node";
import { WeftError } from "@weft/tensor-core";
import { MAX_TOKENIZER_BYTES } from "../limits.js";
import { loadRegexEngine } from "../regex/engine.js";
import { tokenizerError } from "../tokenizer-error.js";
import { Tokenizer } from "../tokenizer.js";

/**
 * The tokenizer of a `tokenizer.json`, or of the folder that it lies in.
 * @throws as `Tokenizer.fromJson`; FormatError kinds `not-found`, `no-permission`, `not-a-file`; IoError
 */
export async function openTokenizer(path: string): Promise<Tokenizer> {
  const { file, bytes } = readBounded(path);
  try {
    return Tokenizer.fromJson(bytes, file);
  } catch (error) {
    if (!(error instanceof WeftError) || error.kind !== "regex-not-loaded") throw error;
    await loadRegexEngine();
    return Tokenizer.fromJson(bytes, file);
  }
}

function readBounded(path: string): { file: string; bytes: Uint8Array } {
  let file = path;
  try {
    if (statSync(path).isDirectory()) file = join(path, "tokenizer.json");
    const stat = statSync(file);
    if (!stat.isFile()) throw tokenizerError("not-a-file", "not a regular file", { file });
    const { size } = stat;
    if (size > MAX_TOKENIZER_BYTES) throw tokenizerError("limit", `${size} bytes, at most ${MAX_TOKENIZER_BYTES} are read`, { file });
    return { file, bytes: readFileSync(file) };
  } catch (error) {
    if (error instanceof WeftError) throw error;
    throw ioError(error, file, "read");
  }
}
