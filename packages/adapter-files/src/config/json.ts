import { ConfigError, WeftError, type WeftErrorKind } from "@weft/tensor-core";
import { parseStrictJson, plainJson } from "@weft/io-safetensors";

/** A parsed object without prototype: no key of the file can reach one. */
export type JsonObject = { [field: string]: unknown };

/** Editors on Windows put a byte order mark in front of a text; a config means the same with and without. */
const withoutMark = (bytes: Uint8Array): Uint8Array =>
  bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? bytes.subarray(3) : bytes;

/** The text of a config as an object; a byte order mark is skipped. @throws ConfigError kinds `config-json`, `config-schema`, `duplicate-key`, `limit` */
export function parseConfigJson(source: string | Uint8Array, file?: string): JsonObject {
  const where = file ? { file } : {};
  let root: unknown;
  try {
    const bytes = typeof source === "string" ? new TextEncoder().encode(source) : source;
    root = plainJson(parseStrictJson(withoutMark(bytes), where));
  } catch (cause) {
    if (!(cause instanceof WeftError)) throw cause;
    // The scanner's kinds for a config are those of a ConfigError, too.
    throw new ConfigError(cause.message, { kind: cause.kind as WeftErrorKind<"config">, cause, ...where });
  }
  if (typeof root !== "object" || root === null || Array.isArray(root))
    throw new ConfigError(`${file ?? "the config"}: expected a JSON object`, { kind: "config-schema", ...where });
  return root as JsonObject;
}
