import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Tokenizer, tokenizerFromRwkv } from "./index.js";

const root = join(import.meta.dirname, "../../../fixtures/models/tokenizers");
const read = (...path: string[]): string => readFileSync(join(root, ...path), "utf8");

describe.each(["bpe_byte_level", "bpe_byte_fallback", "unigram", "rwkv_world"])("bytes of tokens of %s", (name) => {
  const tokenizer = name === "rwkv_world" ? tokenizerFromRwkv(read(name, "vocab.txt")) : Tokenizer.fromJson(read(name, "tokenizer.json"));
  const rows = JSON.parse(read(name, "expect.json")) as { text: string; ids: number[]; decode?: string }[];

  it("are together those of the text, behind the space that its beginning loses", () => {
    for (const { text, ids, decode = text } of rows) {
      const bytes = ids.flatMap((id) => [...(tokenizer.tokenBytes(id) ?? [])]);
      const whole = new TextDecoder("utf-8", { ignoreBOM: true }).decode(Uint8Array.from(bytes));
      expect([decode, ` ${decode}`], JSON.stringify(text)).toContain(whole);
    }
  });

  it("are none of ids that no token has", () => expect(tokenizer.tokenBytes(1e6)).toBe(undefined));
});

it("are none of special tokens", () => {
  const tokenizer = Tokenizer.fromJson(read("bpe_byte_level", "tokenizer.json"));
  expect(tokenizer.tokenBytes(tokenizer.tokenToId("<|endoftext|>")!)).toBe(undefined);
  expect(new TextDecoder().decode(tokenizer.tokenBytes(tokenizer.tokenToId("foo_bar")!))).toBe("foo_bar");
});

it("are refused where tokens are not bytes of a text by themselves", () => {
  expect(() => Tokenizer.fromJson(read("wordpiece", "tokenizer.json")).tokenBytes(5)).toThrow(/its decoder is WordPiece/);
});
