import { JsonNumber, type JsonValue } from "@weft/io-safetensors";

/** A plain value, as a program writes it. */
export type PlainJson = null | boolean | number | string | readonly PlainJson[] | { readonly [name: string]: PlainJson };

/** A plain value as the reader of files would give it. */
export function jsonValue(value: PlainJson): JsonValue {
  if (typeof value === "number") return new JsonNumber(String(value));
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return (value as readonly PlainJson[]).map(jsonValue);
  return new Map(Object.entries(value).map(([name, member]) => [name, jsonValue(member)]));
}
