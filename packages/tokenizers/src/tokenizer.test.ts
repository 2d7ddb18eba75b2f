import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Tokenizer, train } from "./index.js";

const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };
const range = (from: number, to: number): string[] => Array.from({ length: to - from + 1 }, (_, i) => String.fromCharCode(from + i));
const bytes = [...range(33, 126), ...range(161, 172), ...range(174, 323)];
const texts = ["the rabbit ran", "the rabbit sat", "a rabbit, the rat"];

describe("training", () => {
  const tokenizer = train(texts, { model: "BPE", vocabSize: 40, specialTokens: ["<s>"], preTokenizer: byteLevel, decoder: byteLevel });
  it("gives a tokenizer that a file keeps", () => {
    const again = Tokenizer.fromJson(JSON.stringify(tokenizer.toJson()));
    expect(again.encode("the rabbit<s>")).toEqual(tokenizer.encode("the rabbit<s>"));
    expect(again.decode(again.encode("the rabbit").ids)).toBe("the rabbit");
  });
  it("merges the most frequent pair first, of two that of the lowest ids", () =>
    expect((tokenizer.toJson()!.model as { merges: string[][] }).merges.slice(0, 2)).toEqual([
      ["r", "a"],
      ["Ġ", "ra"],
    ]));
  it.each(["BPE", "WordPiece", "WordLevel", "Unigram"] as const)("of %s gives the same each time", (model) => {
    const once = (): unknown =>
      train(texts, { model, vocabSize: 30, unkToken: "[UNK]", specialTokens: ["[UNK]"], preTokenizer: { type: "Whitespace" } }).toJson();
    expect(once()).toEqual(once());
  });
  const root = join(import.meta.dirname, "../../..");
  const { vocabularies } = JSON.parse(readFileSync(join(root, "fixtures/training/unigram.json"), "utf8")) as {
    vocabularies: { readonly [size: string]: readonly (readonly [string, number])[] };
  };
  it.each(Object.entries(vocabularies))("of a unigram model prunes to the %s tokens of the Python library", (size, want) => {
    const trained = train(readFileSync(join(root, "LICENSE"), "utf8").split("\n"), {
      model: "Unigram",
      vocabSize: Number(size),
      specialTokens: ["<s>"],
      unkToken: "<unk>",
      preTokenizer: { type: "Metaspace", replacement: "▁", prepend_scheme: "always", split: true },
    });
    const scores = new Map((trained.toJson()!.model as unknown as { vocab: [string, number][] }).vocab);
    expect([...scores.keys()].toSorted()).toEqual(want.map(([token]) => token).toSorted());
    // Characters that training drops follow one another by 0.0001, in the library in the order of a hash.
    for (const [token, score] of want) expect(Math.abs(scores.get(token)! - score), token).toBeLessThan(0.005);
  });
  it("refuses a vocabulary without room for characters", () =>
    expect(() => train(texts, { model: "Unigram", vocabSize: 3 })).toThrow(expect.objectContaining({ kind: "tokenizer-option" })));
});

describe("texts that are not well-formed", () => {
  const tokenizer = train([...texts, bytes.join(" ")], {
    model: "BPE",
    vocabSize: 300,
    preTokenizer: byteLevel,
    decoder: byteLevel,
    initialAlphabet: bytes,
  });
  it("have U+FFFD for surrogates that stand alone, at their place", () => {
    const { ids, offsets } = tokenizer.encode("a\ud800b");
    expect(tokenizer.decode(ids)).toBe("a\ufffdb");
    expect(offsets.at(-1)).toEqual([2, 3]);
  });
});

describe("decoding as ids come", () => {
  const tokenizer = train([...texts, bytes.join(" ")], {
    model: "BPE",
    vocabSize: 260,
    preTokenizer: byteLevel,
    decoder: byteLevel,
    initialAlphabet: bytes,
  });
  it("holds back characters until their bytes are complete", () => {
    const stream = tokenizer.decodeStream();
    const given = tokenizer.encode("x日y").ids.map((id) => stream.push(id));
    expect(given.filter((text) => text !== "")).toEqual(["x", "日", "y"]);
    expect(stream.end()).toBe("");
  });
  it("gives what is left at the end", () => {
    const stream = tokenizer.decodeStream();
    const [first] = tokenizer.encode("日").ids;
    expect(stream.push(first!)).toBe("");
    expect(stream.end()).toBe("\ufffd");
  });
});

describe("words of 200,000 characters", () => {
  it("are merged in proportion to their length", () => {
    const tokenizer = train(["aaaaaaaa aaaa aa a"], { model: "BPE", vocabSize: 4, preTokenizer: { type: "WhitespaceSplit" } });
    expect(tokenizer.encode("a".repeat(200_000)).ids.length).toBe(25_000);
  });
});

describe("special tokens in the text", () => {
  const tokenizer = train(texts, {
    model: "BPE",
    vocabSize: 40,
    specialTokens: ["<s>"],
    preTokenizer: byteLevel,
    decoder: byteLevel,
    unkToken: "<s>",
  });
  it("are found", () => expect(tokenizer.encode("a<s>").tokens.at(-1)).toBe("<s>"));
  it("are text if so asked", () => expect(tokenizer.encode("a<s>", { encodeSpecialTokens: true }).ids.length).toBeGreaterThan(2));
});
