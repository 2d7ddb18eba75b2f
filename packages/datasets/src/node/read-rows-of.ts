import { openFileBytes } from "@weft/io-safetensors/node";
import { type ReadOptions, readRows } from "../read/read-rows.js";
import type { Row } from "../read/row.js";

/**
 * The rows of the file at a path. @see readRows
 * @throws as `readRows`; FormatError kinds `not-found`, `no-permission`, `not-a-file`
 */
export async function* readRowsOf(path: string, options: Omit<ReadOptions, "name"> = {}): AsyncGenerator<Row> {
  yield* readRows(openFileBytes(path), options);
}
