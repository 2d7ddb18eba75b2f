import { type ByteSource, parseStrictJson, plainJson } from "@weft/io-safetensors";
import { WeftError } from "@weft/tensor-core";
import { dataError, describeValue } from "../data-error.js";
import { MAX_ROW_BYTES } from "../limits.js";
import { joined, linesOf, piecesOf, withoutMark } from "./lines.js";
import type { Row } from "./row.js";

const KINDS = { utf8: "dataset-utf8", json: "dataset-json" } as const;
const BLANK = new Set([9, 10, 13, 32]);
const isBlank = (bytes: Uint8Array): boolean => bytes.every((byte) => BLANK.has(byte));

/** A row that stands at a line. @throws FormatError kinds `dataset-json`, `dataset-utf8`, `dataset-row` */
function rowOf(bytes: Uint8Array, file: string, line: number): Row {
  let value: unknown;
  try {
    value = plainJson(parseStrictJson(bytes, { kinds: KINDS, maxBytes: MAX_ROW_BYTES }));
  } catch (error) {
    if (!(error instanceof WeftError)) throw error;
    throw dataError(error.kind === "dataset-utf8" ? "dataset-utf8" : "dataset-json", error.message, { file, line }, { cause: error });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw dataError("dataset-row", `expected an object with a value for each column, got ${describeValue(value)}`, { file, line });
  return { values: value as Record<string, unknown>, place: { file, line } };
}

/** Rows of a file with one JSON object a line; empty lines are passed over. */
export async function* readJsonl(source: ByteSource): AsyncGenerator<Row> {
  for await (const { bytes, line } of linesOf(source)) {
    const text = line === 1 ? withoutMark(bytes) : bytes;
    if (!isBlank(text)) yield rowOf(text, source.location, line);
  }
}

const code = (char: string): number => char.charCodeAt(0);
const [QUOTE, BACKSLASH, COMMA] = [code('"'), code("\\"), code(",")];
const OPEN = new Set([code("["), code("{")]);
const CLOSE = new Set([code("]"), code("}")]);

/** Rows of a file that is one JSON list of objects, read one after the other. */
export async function* readJson(source: ByteSource): AsyncGenerator<Row> {
  const file = source.location;
  let [line, depth, began] = [1, 0, 1];
  let [inText, escaped, ended] = [false, false, false];
  let open: Uint8Array[] = [];
  let size = 0;
  let rows = 0;
  let first = true;
  const wrong = (message: string): Error =>
    dataError(
      "dataset-json",
      message,
      { file, line },
      { hint: "a .json file is one list of objects; a file with an object a line is .jsonl" },
    );
  const close = (last: boolean): Row | undefined => {
    const bytes = joined(open);
    [open, size] = [[], 0];
    if (isBlank(bytes)) {
      if (last && rows === 0) return undefined;
      throw wrong("expected an object, got nothing");
    }
    rows++;
    return rowOf(bytes, file, began);
  };
  for await (const whole of piecesOf(source)) {
    const piece = first ? withoutMark(whole) : whole;
    first = false;
    let from = 0;
    for (let i = 0; i < piece.length; i++) {
      const byte = piece[i]!;
      if (byte === 10) line++;
      if (inText) {
        if (escaped) escaped = false;
        else if (byte === BACKSLASH) escaped = true;
        else if (byte === QUOTE) inText = false;
        continue;
      }
      if (ended || (depth === 0 && byte !== code("["))) {
        if (BLANK.has(byte)) continue;
        throw wrong(ended ? "something follows the list" : "expected a list of objects");
      }
      if (depth === 1 && (byte === COMMA || byte === code("]"))) {
        open.push(piece.subarray(from, i));
        from = i + 1;
        const row = close(byte !== COMMA);
        if (row) yield row;
        began = line;
        if (byte !== COMMA) [depth, ended] = [0, true];
        continue;
      }
      if (byte === QUOTE) inText = true;
      else if (OPEN.has(byte)) {
        if (depth === 0) from = i + 1;
        if (depth <= 1) began = line;
        depth++;
      } else if (CLOSE.has(byte)) depth--;
    }
    if (depth === 0) continue;
    open.push(piece.subarray(from));
    size += piece.length - from;
    if (size > MAX_ROW_BYTES) throw dataError("limit", `a row is longer than ${MAX_ROW_BYTES} bytes`, { file, line: began });
  }
  if (!ended) throw wrong("the list does not end");
}
