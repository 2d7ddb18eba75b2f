import { show } from "@weft/io-safetensors";
import { ConfigError } from "@weft/tensor-core";
import { dataError, describePlace, optionError } from "../data-error.js";
import type { Row } from "../read/row.js";
import type { Example } from "./example.js";
import { FORMATS, type RowFormat } from "./formats.js";
import { RowFields } from "./row-fields.js";

/** What rows mean. */
export interface ExampleOptions {
  /** Told by the columns of the first row if not given. */
  readonly format?: RowFormat;
  /** Which column of the file holds what the format calls so: `{prompt: "question", completion: "answer"}`. */
  readonly columns?: Readonly<Record<string, string>>;
}

const needed = (): string => FORMATS.map(({ format, needs }) => `${format} (${needs.join(", ")})`).join("; ");

/**
 * The format of a row, by its columns.
 * @throws ConfigError kind `dataset-format` if it is none
 */
export function detectFormat(row: Row, columns: ExampleOptions["columns"] = {}): RowFormat {
  const fields = new RowFields(row, columns);
  const found = FORMATS.find(({ needs }) => needs.every((name) => fields.value(name) !== undefined));
  if (found) return found.format;
  const there = Object.keys(row.values).map(show).join(", ");
  throw new ConfigError(`${describePlace(row.place)}: the columns ${there || "(none)"} are those of no format; there are ${needed()}`, {
    kind: "dataset-format",
    file: row.place.file,
    hint: 'say which column is which: columns: {prompt: "question", completion: "answer"}',
  });
}

/**
 * Examples out of rows, in their order.
 * @throws FormatError kind `dataset-row`, which names file, line and column; ConfigError kinds `dataset-format`, `dataset-option`
 */
export async function* toExamples(
  rows: AsyncIterable<Row> | Iterable<Row>,
  { format, columns = {} }: ExampleOptions = {},
): AsyncGenerator<Example> {
  let rule = FORMATS.find((one) => one.format === format);
  if (format !== undefined && !rule) throw optionError(`there is no format ${show(format)}; there are ${needed()}`);
  for await (const row of rows) {
    const detected = rule ?? FORMATS.find((one) => one.format === detectFormat(row, columns))!;
    if (!rule) checkColumns(row, columns, [...detected.needs, ...detected.knows]);
    rule = detected;
    const fields = new RowFields(row, columns);
    for (const name of rule.needs)
      if (fields.value(name) === undefined)
        throw dataError(
          "dataset-row",
          `expected the columns of the format ${rule.format}, got ${Object.keys(row.values).map(show).join(", ") || "none"}`,
          {
            ...row.place,
            column: Object.hasOwn(columns, name) ? columns[name] : name,
          },
        );
    yield rule.read(fields);
  }
}

/** A name that a format does not have would be passed over in silence. */
function checkColumns({ place }: Row, columns: NonNullable<ExampleOptions["columns"]>, names: readonly string[]): void {
  const unknown = Object.keys(columns).find((name) => !names.includes(name));
  if (unknown !== undefined)
    throw optionError(`${describePlace(place)}: columns names ${show(unknown)}, the format has ${names.join(", ")}`);
}
