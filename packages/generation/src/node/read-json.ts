import { readFileSync } from "node:fs";
import { parseStrictJson, plainJson } from "@weft/io-safetensors";
import { ioError } from "@weft/io-safetensors/node";
import { FormatError } from "@weft/tensor-core";

/** The object of a small JSON file. @throws FormatError kind `config-json` naming the file; IoError */
export function readJsonObject(file: string): { readonly [field: string]: unknown } {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    throw ioError(error, file, "read");
  }
  const value = plainJson(parseStrictJson(bytes, { file, kinds: { utf8: "config-json", json: "config-json" } }));
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as { readonly [field: string]: unknown };
  throw new FormatError(`${file}: expected an object`, { kind: "config-json", file });
}
