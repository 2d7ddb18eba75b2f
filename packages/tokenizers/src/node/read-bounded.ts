import { readFileSync, statSync } from "node:fs";
import { ioError } from "@weft/io-safetensors/node";
import { WeftError } from "@weft/tensor-core";
import { tokenizerError } from "../tokenizer-error.js";

/** The bytes of a regular file. @throws FormatError kinds `not-found`, `no-permission`, `not-a-file`, `limit`; IoError */
export function readBounded(file: string, maxBytes: number): Uint8Array {
  try {
    const stat = statSync(file);
    if (!stat.isFile()) throw tokenizerError("not-a-file", "not a regular file", { file });
    if (stat.size > maxBytes) throw tokenizerError("limit", `${stat.size} bytes, at most ${maxBytes} are read`, { file });
    return readFileSync(file);
  } catch (error) {
    if (error instanceof WeftError) throw error;
    throw ioError(error, file, "read");
  }
}
