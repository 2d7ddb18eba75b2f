import { show } from "@weft/io-safetensors";
import { ConfigError, FormatError, type WeftErrorKind } from "@weft/tensor-core";

/** Where something stands in a file of data. */
export interface Place {
  readonly file?: string | undefined;
  /** From 1: the line that a row begins at, or the number of the row where a format has no lines. */
  readonly line?: number | undefined;
  readonly column?: string | undefined;
}

/** `train.jsonl, line 3, column "prompt"`. */
export function describePlace({ file, line, column }: Place): string {
  const parts = [file, line === undefined ? undefined : `line ${line}`, column === undefined ? undefined : `column ${show(column)}`];
  return parts.filter((part) => part !== undefined).join(", ");
}

/** A FormatError of data that names file, line and column. */
export function dataError(
  kind: Extract<WeftErrorKind<"format">, "dataset-json" | "dataset-csv" | "dataset-utf8" | "dataset-row" | "dataset-parquet" | "limit">,
  message: string,
  place: Place,
  { hint, cause }: { readonly hint?: string | undefined; readonly cause?: unknown } = {},
): FormatError {
  const where = describePlace(place);
  return new FormatError(where === "" ? message : `${where}: ${message}`, { kind, hint, cause, file: place.file });
}

/** A ConfigError of options. */
export const optionError = (message: string, hint?: string): ConfigError => new ConfigError(message, { kind: "dataset-option", hint });

/** What messages call a value: `a list`, `"text"`, `nothing`. */
export function describeValue(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (typeof value === "string") return show(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list";
  return typeof value === "object" ? "an object" : String(value);
}
