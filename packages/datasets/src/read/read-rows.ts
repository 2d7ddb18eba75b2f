import { type ByteSource, bytesOfBlob, bytesOfMemory, type HttpOptions } from "@weft/io-safetensors";
import { bytesOfUrl } from "@weft/io-safetensors/http";
import { optionError } from "../data-error.js";
import { readCsv } from "./csv.js";
import { readJson, readJsonl } from "./json.js";
import { readParquet } from "./parquet.js";
import type { Row } from "./row.js";
import { readText, type TextSplit } from "./text.js";

/** Formats of files of data. */
export type FileFormat = "jsonl" | "json" | "csv" | "tsv" | "text" | "parquet";

/** Data: bytes or their text, a Blob or File, or a URL. Paths are opened by `@weft/datasets/node`. */
export type DataInput = Uint8Array | string | Blob | URL | ByteSource;

/** How a file of data is read. */
export interface ReadOptions extends HttpOptions {
  /** By the ending of the file's name if not given. */
  readonly format?: FileFormat;
  /** What messages call the file; its name or address if not given. */
  readonly name?: string;
  /** Of plain text: where documents end; at blank lines if not given. */
  readonly split?: TextSplit;
}

const ENDINGS: ReadonlyMap<string, FileFormat> = new Map([
  ["jsonl", "jsonl"],
  ["ndjson", "jsonl"],
  ["json", "json"],
  ["csv", "csv"],
  ["tsv", "tsv"],
  ["txt", "text"],
  ["md", "text"],
  ["parquet", "parquet"],
]);

async function open(input: DataInput, { name, format: _format, split: _split, ...http }: ReadOptions): Promise<ByteSource> {
  if (typeof input === "string") return bytesOfMemory(new TextEncoder().encode(input), name);
  if (input instanceof Uint8Array) return bytesOfMemory(input, name);
  if (input instanceof Blob) return bytesOfBlob(input, name);
  return input instanceof URL ? bytesOfUrl(input, http) : input;
}

function formatOf({ location }: ByteSource): FileFormat {
  const ending = /\.([a-z]+)(?:[?#].*)?$/i.exec(location)?.[1]?.toLowerCase() ?? "";
  const format = ENDINGS.get(ending);
  if (!format)
    throw optionError(
      `${location}: nothing says what its format is`,
      `pass \`format\`, or a name that ends with ${[...ENDINGS.keys()].map((one) => `.${one}`).join(", ")}`,
    );
  return format;
}

const READERS: Readonly<Record<FileFormat, (source: ByteSource, options: ReadOptions) => AsyncGenerator<Row>>> = {
  jsonl: readJsonl,
  json: readJson,
  csv: (source) => readCsv(source),
  tsv: (source) => readCsv(source, "\t"),
  text: (source, { split }) => readText(source, split),
  parquet: readParquet,
};

/**
 * The rows of a file, one after the other: memory does not grow with the file.
 * @throws FormatError kinds `dataset-json`, `dataset-csv`, `dataset-utf8`, `dataset-row`, `dataset-parquet`, `limit`, which name file and line; ConfigError kind
 * `dataset-option`; IoError of a URL; CapabilityError without that package
 */
export async function* readRows(input: DataInput, options: ReadOptions = {}): AsyncGenerator<Row> {
  const source = await open(input, options);
  try {
    yield* READERS[options.format ?? formatOf(source)](source, options);
  } finally {
    await source.close();
  }
}
