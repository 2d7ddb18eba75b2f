import type { ByteSource } from "@weft/io-safetensors";
import { CapabilityError, WeftError } from "@weft/tensor-core";
import { dataError } from "../data-error.js";
import type { Row } from "./row.js";

/** What is used of `hyparquet`, which is loaded when a parquet file is read. */
interface Hyparquet {
  parquetMetadataAsync(file: object): Promise<{ readonly row_groups: readonly { readonly num_rows: bigint }[] }>;
  parquetReadObjects(options: object): Promise<Record<string, unknown>[]>;
}

async function load(file: string): Promise<Hyparquet> {
  try {
    return (await import("hyparquet")) as unknown as Hyparquet;
  } catch (cause) {
    throw new CapabilityError(`${file}: reading parquet needs the package hyparquet`, { cause, file, hint: "npm install hyparquet" });
  }
}

/** Whole numbers as numbers where that is exact. */
function plain(value: unknown): unknown {
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, plain(one)]));
}

/** Rows of a parquet file, one group of rows in memory at a time; `line` is the number of the row. @throws FormatError kind `dataset-parquet`; CapabilityError without that package */
export async function* readParquet(source: ByteSource): AsyncGenerator<Row> {
  const file = source.location;
  const { parquetMetadataAsync, parquetReadObjects } = await load(file);
  const bytes = {
    byteLength: source.size,
    slice: async (from: number, to = source.size): Promise<ArrayBuffer> => {
      const { buffer, byteOffset, byteLength } = await source.read(from, to - from);
      return buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer;
    },
  };
  const attempt = async <T>(run: () => Promise<T>): Promise<T> => {
    try {
      return await run();
    } catch (cause) {
      if (cause instanceof WeftError) throw cause;
      throw dataError(
        "dataset-parquet",
        (cause as Error).message,
        { file },
        { cause, hint: "only snappy and uncompressed parquet is read; write it again with one of them" },
      );
    }
  };
  const metadata = await attempt(() => parquetMetadataAsync(bytes));
  let row = 0;
  for (const { num_rows: count } of metadata.row_groups) {
    const rowEnd = row + Number(count);
    const rowStart = row;
    const rows = await attempt(() => parquetReadObjects({ file: bytes, metadata, rowStart, rowEnd }));
    for (const values of rows) yield { values: plain(values) as Record<string, unknown>, place: { file, line: ++row } };
  }
}
