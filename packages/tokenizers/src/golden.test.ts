import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Tokenizer, tokenizerFromRwkv } from "./index.js";

const root = join(import.meta.dirname, "../../../fixtures/models/tokenizers");
const read = (...path: string[]): string => readFileSync(join(root, ...path), "utf8");
interface Row {
  text: string;
  ids: number[];
  tokens: string[];
  offsets: [number, number][];
  decode: string;
  decode_raw: string;
}

describe.each(["wordpiece", "bpe_byte_fallback", "bpe_byte_level", "unigram"])("%s, against the Python library", (name) => {
  const tokenizer = Tokenizer.fromJson(read(name, "tokenizer.json"));
  const rows = JSON.parse(read(name, "expect.json")) as Row[];
  it("has as many rows as were made", () => expect(rows.length).toBe(60));
  it.each(rows.map((row) => [JSON.stringify(row.text.slice(0, 40)), row] as const))("%s", (_, row) => {
    const { ids, tokens, offsets } = tokenizer.encode(row.text, { offsetUnit: "code-point" });
    expect({ ids, tokens, offsets }).toEqual({ ids: row.ids, tokens: row.tokens, offsets: row.offsets });
    expect(tokenizer.decode(ids)).toBe(row.decode);
    expect(tokenizer.decode(ids, { skipSpecialTokens: false })).toBe(row.decode_raw);
    const stream = tokenizer.decodeStream();
    expect(ids.map((id) => stream.push(id)).join("") + stream.end()).toBe(row.decode);
  });
});

describe("rwkv_world, against greedy matching in Python", () => {
  const tokenizer = tokenizerFromRwkv(read("rwkv_world", "vocab.txt"));
  const rows = JSON.parse(read("rwkv_world", "expect.json")) as Pick<Row, "text" | "ids">[];
  it("has as many rows as were made", () => expect(rows.length).toBe(60));
  it.each(rows.map((row) => [JSON.stringify(row.text.slice(0, 40)), row] as const))("%s", (_, { text, ids }) => {
    const encoding = tokenizer.encode(text);
    expect(encoding.ids).toEqual(ids);
    expect(tokenizer.decode(ids)).toBe(text);
  });
});
