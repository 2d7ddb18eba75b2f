import type { ByteSource } from "@weft/io-safetensors";
import { dataError } from "../data-error.js";
import { MAX_COLUMNS, MAX_ROW_BYTES } from "../limits.js";
import { piecesOf, withoutMark } from "./lines.js";
import type { Row } from "./row.js";

/** A record, and the line that it begins at. */
interface CsvRecord {
  readonly fields: string[];
  readonly line: number;
}

/**
 * Records of a CSV text as it comes: fields between separators, in quotes where they hold separators, line ends or quotes, which are then written twice.
 * @see RFC 4180
 * @throws FormatError kinds `dataset-csv`, `dataset-utf8`, `limit`
 */
async function* recordsOf(source: ByteSource, separator: string): AsyncGenerator<CsvRecord> {
  const file = source.location;
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let fields: string[] = [];
  let field = "";
  /** Outside of quotes, inside, or behind a quote that may be the first of two. */
  let state: "plain" | "quoted" | "quote" = "plain";
  let quotedField = false;
  let [line, began, size] = [1, 1, 0];
  let returned = false;
  const wrong = (message: string): Error => dataError("dataset-csv", message, { file, line });
  const endField = (): void => {
    if (fields.length >= MAX_COLUMNS) throw dataError("limit", `more than ${MAX_COLUMNS} columns`, { file, line });
    fields.push(field);
    [field, quotedField, state] = ["", false, "plain"];
  };
  const endRecord = (): CsvRecord | undefined => {
    const empty = fields.length === 0 && field === "" && !quotedField;
    endField();
    const record = { fields, line: began };
    [fields, size] = [[], 0];
    return empty ? undefined : record;
  };
  const decode = (piece: Uint8Array | undefined): string => {
    try {
      return piece ? decoder.decode(piece, { stream: true }) : decoder.decode();
    } catch (cause) {
      throw dataError("dataset-utf8", "not UTF-8", { file, line }, { cause, hint: "save the file as UTF-8" });
    }
  };
  let first = true;
  for await (const piece of piecesOf(source)) {
    const text = decode(first ? withoutMark(piece) : piece);
    first = false;
    for (const char of text) {
      if (returned) {
        returned = false;
        if (char !== "\n") throw wrong("a carriage return stands alone, outside of quotes");
      }
      if (state === "quoted") {
        if (char === '"') state = "quote";
        else field += char;
        if (char === "\n") line++;
      } else if (char === '"' && (state === "quote" || field !== "" || quotedField)) {
        if (state !== "quote") throw wrong("a quote within a field that does not begin with one");
        field += char;
        state = "quoted";
      } else if (char === '"') [state, quotedField] = ["quoted", true];
      else if (char === separator) endField();
      else if (char === "\n") {
        const record = endRecord();
        line++;
        began = line;
        if (record) yield record;
      } else if (char === "\r") returned = true;
      else {
        if (state === "quote") throw wrong("text behind the quote that ends a field");
        field += char;
      }
      if (++size > MAX_ROW_BYTES) throw dataError("limit", `a row is longer than ${MAX_ROW_BYTES} characters`, { file, line: began });
    }
  }
  decode(undefined);
  if (state === "quoted") throw dataError("dataset-csv", "a field in quotes does not end", { file, line: began });
  const record = endRecord();
  if (record) yield record;
}

/** Rows of a CSV file whose first line names the columns. All values are text. */
export async function* readCsv(source: ByteSource, separator: "," | "\t" = ","): AsyncGenerator<Row> {
  const file = source.location;
  let columns: string[] | undefined;
  for await (const { fields, line } of recordsOf(source, separator)) {
    if (!columns) {
      const twice = fields.find((name, i) => fields.indexOf(name) !== i);
      if (twice !== undefined) throw dataError("dataset-csv", "the name stands twice", { file, line, column: twice });
      columns = fields;
      continue;
    }
    if (fields.length !== columns.length)
      throw dataError("dataset-csv", `expected ${columns.length} fields as in the first line, got ${fields.length}`, { file, line });
    const values = Object.create(null) as Record<string, unknown>;
    for (const [i, name] of columns.entries()) values[name] = fields[i];
    yield { values, place: { file, line } };
  }
}
