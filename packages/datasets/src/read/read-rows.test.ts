import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parquetWriteBuffer } from "hyparquet-writer";
import { describe, expect, it } from "vitest";
import { type ReadOptions, readRows } from "../index.js";
import { readRowsOf } from "../node/index.js";
import { collect, failure } from "../testing.js";

const values = async (text: string | Uint8Array, options: ReadOptions): Promise<object[]> =>
  (await collect(readRows(text, options))).map((row) => ({ ...row.values }));
const lines = async (text: string, options: ReadOptions): Promise<(number | undefined)[]> =>
  (await collect(readRows(text, options))).map(({ place }) => place.line);
/** Longer than the pieces that files are read in, so that rows lie over their borders. */
const LONG = "é🙂x".repeat(200_000);

describe("rows are the same in every format", () => {
  const rows = [
    { prompt: 'a, "b"\nc', completion: "é🙂" },
    { prompt: "", completion: LONG },
    { prompt: "d", completion: "e" },
  ];
  const quoted = (separator: string): string =>
    ["prompt", "completion"].join(separator) +
    rows
      .map(
        (row) =>
          `\r\n${Object.values(row)
            .map((one) => `"${one.replaceAll('"', '""')}"`)
            .join(separator)}`,
      )
      .join("");
  it.each<[ReadOptions["format"] & string, string | Uint8Array]>([
    ["jsonl", rows.map((row) => JSON.stringify(row)).join("\n\n")],
    ["json", JSON.stringify(rows, null, 2)],
    ["json", `[ ${rows.map((row) => JSON.stringify(row)).join(" ,\n")}\n]\n`],
    ["csv", quoted(",")],
    ["tsv", quoted("\t")],
    [
      "parquet",
      new Uint8Array(
        parquetWriteBuffer({
          columnData: [
            { name: "prompt", data: rows.map((row) => row.prompt) },
            { name: "completion", data: rows.map((row) => row.completion) },
          ],
          rowGroupSize: [2],
        }),
      ),
    ],
  ])("%s", async (format, text) => {
    expect(await values(text, { format })).toEqual(rows);
    const folder = mkdtempSync(join(tmpdir(), "weft-data-"));
    writeFileSync(join(folder, `data.${format}`), text);
    expect((await collect(readRowsOf(join(folder, `data.${format}`)))).map((row) => ({ ...row.values }))).toEqual(rows);
    expect((await collect(readRows(new File([text as BlobPart], `data.${format}`)))).map((row) => ({ ...row.values }))).toEqual(rows);
  });

  it("with a byte order mark, which is no part of the first column", async () =>
    expect(await values("\ufeffa,b\n1,2\n", { format: "csv" })).toEqual([{ a: "1", b: "2" }]));
  it("with the name __proto__ for a column", async () => {
    const [row] = await collect(readRows('{"__proto__": 1}', { format: "jsonl" }));
    expect(Object.keys(row!.values)).toEqual(["__proto__"]);
  });
});

it("rows know the line that they begin at", async () => {
  expect(await lines('a,b\n"1\n\n",2\n3,4\n', { format: "csv" })).toEqual([2, 5]);
  expect(await lines('{"a":1}\n\n{"a":2}', { format: "jsonl" })).toEqual([1, 3]);
  expect(await lines('[\n{"a":\n1},\n\n{"a":2}]', { format: "json" })).toEqual([2, 5]);
});

describe("documents of a text end", () => {
  const text = "one\ntwo\n\n\nthree\n# four\nfive";
  it.each<[string, ReadOptions["split"], string[]]>([
    ["at blank lines", undefined, ["one\ntwo", "three\n# four\nfive"]],
    ["at each line", "line", ["one", "two", "three", "# four", "five"]],
    ["nowhere", "file", [text]],
    ["at lines that match", /^#/g, ["one\ntwo\n\n\nthree", "five"]],
  ])("%s", async (_, split, want) =>
    expect(await values(text, { format: "text", ...(split && { split }) })).toEqual(want.map((one) => ({ text: one }))),
  );
  it("after so many characters, of which none is halved", async () => {
    const parts = await values("a🙂b🙂🙂c", { format: "text", split: { characters: 2 } });
    expect(parts.map((row) => (row as { text: string }).text)).toEqual(["a", "🙂", "b", "🙂", "🙂", "c"]);
  });
});

describe("what is wrong is named with file and line", () => {
  it.each<[string, ReadOptions["format"] & string, string | Uint8Array, string, number | undefined]>([
    ["no JSON", "jsonl", '{"a":1}\n{"a":}', "dataset-json", 2],
    ["a key twice", "jsonl", '{"a":1,"a":2}', "dataset-json", 1],
    ["a number for a row", "jsonl", "1", "dataset-row", 1],
    ["a list that does not end", "json", '[{"a":1},\n', "dataset-json", 2],
    ["something behind a list", "json", "[]\n[]", "dataset-json", 2],
    ["no list", "json", '{"a":1}', "dataset-json", 1],
    ["a comma at the end", "json", '[{"a":1},\n]', "dataset-json", 2],
    ["rows of JSON lines in a list's place", "json", '{"a":1}\n{"a":2}', "dataset-json", 1],
    ["a field too many", "csv", "a,b\n1,2\n1,2,3", "dataset-csv", 3],
    ["a quote within a field", "csv", 'a\n1\nx"y"', "dataset-csv", 3],
    ["text behind a quote", "csv", 'a\n"x"y', "dataset-csv", 2],
    ["a quote that does not end", "csv", 'a\n1\n"x\n\n', "dataset-csv", 3],
    ["a column twice", "csv", "a,a\n", "dataset-csv", 1],
    ["bytes that are no UTF-8", "csv", Uint8Array.of(97, 10, 0xff, 10), "dataset-utf8", undefined],
    ["bytes that are no UTF-8", "jsonl", Uint8Array.of(10, 34, 0xff, 34, 10), "dataset-utf8", 2],
    ["no parquet", "parquet", "PAR1", "dataset-parquet", undefined],
  ])("%s: %s", async (_, format, text, kind, line) => {
    const error = await failure(collect(readRows(text, { format, name: "train.file" })));
    expect(error.kind).toBe(kind);
    expect(error.message).toContain("train.file");
    if (line !== undefined) expect(error.message).toContain(`line ${line}`);
  });

  it("a name that says nothing of the format", async () =>
    expect(await failure(collect(readRows("x", { name: "data" })))).toMatchObject({ kind: "dataset-option" }));
  it("a row that is longer than memory is for", async () =>
    expect(await failure(collect(readRows(new Uint8Array((64 << 20) + 2).fill(97), { format: "jsonl" })))).toMatchObject({
      kind: "limit",
    }));
});
