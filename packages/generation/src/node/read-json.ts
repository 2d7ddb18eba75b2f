import { parseStrictJson, plainJson } from "@weft/io-safetensors";
import { readSmallFile } from "@weft/io-safetensors/node";
import { FormatError } from "@weft/tensor-core";

/** The object of a small JSON file. @throws FormatError kind `config-json` naming the file; IoError */
export function readJsonObject(file: string): { readonly [field: string]: unknown } {
  const value = plainJson(parseStrictJson(readSmallFile(file), { file, kinds: { utf8: "config-json", json: "config-json" } }));
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as { readonly [field: string]: unknown };
  throw new FormatError(`${file}: expected an object`, { kind: "config-json", file });
}
