import { constraintError } from "../constraint-error.js";

/** A JSON schema: an object of keywords, or true for anything and false for nothing. */
export type JsonSchema = boolean | { readonly [keyword: string]: unknown };

export type JsonType = "object" | "array" | "string" | "number" | "integer" | "boolean" | "null";
export const TYPES: readonly JsonType[] = ["object", "array", "string", "number", "integer", "boolean", "null"];

/** A schema with its place in the whole, as a JSON pointer. */
export interface Place {
  readonly schema: unknown;
  readonly pointer: string;
}

/** @returns the error to throw */
export const schemaError = (pointer: string, message: string, hint?: string): Error =>
  constraintError("constraint-schema", `schema ${pointer === "" ? "(root)" : pointer}: ${message}`, hint);

const escaped = (name: string): string => name.replaceAll("~", "~0").replaceAll("/", "~1");

/** What a keyword of a schema holds. */
export const below = ({ schema, pointer }: Place, ...names: readonly (string | number)[]): Place =>
  names.reduce<Place>(
    (at, name) => ({
      schema: isObject(at.schema) || Array.isArray(at.schema) ? Reflect.getOwnPropertyDescriptor(at.schema, name)?.value : undefined,
      pointer: `${at.pointer}/${escaped(String(name))}`,
    }),
    { schema, pointer },
  );

export const isObject = (value: unknown): value is { readonly [name: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The list that a keyword holds. */
export function listOf(at: Place): readonly unknown[] {
  if (!Array.isArray(at.schema) || at.schema.length === 0) throw schemaError(at.pointer, "expected a list that is not empty");
  return at.schema as readonly unknown[];
}

/** The number that a keyword holds, if it is there. */
export function numberOf(at: Place, whole: boolean): number | undefined {
  const { schema: value } = at;
  if (value === undefined) return undefined;
  if (typeof value !== "number" || !(whole ? Number.isSafeInteger(value) && value >= 0 : Number.isFinite(value)))
    throw schemaError(at.pointer, `expected ${whole ? "a whole number from 0 on" : "a finite number"}, got ${JSON.stringify(value)}`);
  return value;
}

/** The type of a JSON value. */
export function typeOf(value: unknown): JsonType {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  return typeof value as JsonType;
}

/** The place that a `$ref` names within a schema. */
export function resolve(root: unknown, at: Place): Place {
  const ref = at.schema;
  if (typeof ref !== "string" || !/^#(?:\/|$)/.test(ref))
    throw schemaError(at.pointer, `${JSON.stringify(ref)} is not a place in this schema`, "write #/$defs/NAME");
  let path: string;
  try {
    path = decodeURIComponent(ref.slice(1));
  } catch {
    throw schemaError(at.pointer, `${JSON.stringify(ref)} is not percent-encoded UTF-8`);
  }
  const names = path.split("/").slice(1);
  const found = below({ schema: root, pointer: "" }, ...names.map((name) => name.replaceAll("~1", "/").replaceAll("~0", "~")));
  if (found.schema === undefined) throw schemaError(at.pointer, `there is no ${ref}`);
  return found;
}
