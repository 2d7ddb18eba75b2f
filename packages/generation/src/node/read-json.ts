import { readSmallFile } from "@weft/io-safetensors/node";
import { parseJsonObject } from "../text/generation-files.js";

/** The object of a small JSON file. @throws FormatError kind `config-json` naming the file; IoError */
export const readJsonObject = (file: string): { readonly [field: string]: unknown } => parseJsonObject(readSmallFile(file), file);
