import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { quantizeToGguf } from "@weft/checkpoint/node";
import { openGgufPath } from "@weft/io-gguf/node";
import { loadRegexEngine, Tokenizer, tokenizerFromGguf } from "@weft/tokenizers";
import { describe, expect, it } from "vitest";
import { FIXTURES, temporaryFolder } from "../testing/cli.js";

const folder = temporaryFolder();
await loadRegexEngine();
type Json = { [field: string]: unknown };

/** An embedding under the config of the tiny llama, and a tokenizer. */
function model(name: string, tokenizer: Json, config: object = {}): string {
  const home = join(folder, name);
  mkdirSync(home);
  const rows = 700;
  const header = JSON.stringify({ "model.embed_tokens.weight": { dtype: "F32", shape: [rows, 4], data_offsets: [0, rows * 16] } });
  const bytes = Buffer.alloc(8 + header.length + rows * 16);
  bytes.writeBigUInt64LE(BigInt(header.length));
  bytes.write(header, 8);
  writeFileSync(join(home, "model.safetensors"), bytes);
  cpSync(join(FIXTURES, "models/llama/config.json"), join(home, "config.json"));
  writeFileSync(join(home, "tokenizer.json"), JSON.stringify(tokenizer));
  writeFileSync(join(home, "tokenizer_config.json"), JSON.stringify(config));
  return home;
}

const fixture = (name: string): Json =>
  JSON.parse(readFileSync(join(FIXTURES, "models/tokenizers", name, "tokenizer.json"), "utf8")) as Json;

/** SentencePiece's merges of a vocabulary: every two tokens that make a third, the third's in the order of those that there are. */
function joined(tokenizer: Json): Json {
  const own = tokenizer["model"] as { vocab: { [token: string]: number }; merges: [string, string][] };
  const results = [...new Set(own.merges.map((pair) => pair.join("")))];
  const merges = results.flatMap((token) =>
    Array.from({ length: token.length - 1 }, (_, i): [string, string] => [token.slice(0, i + 1), token.slice(i + 1)]).filter(
      ([a, b]) => a in own.vocab && b in own.vocab,
    ),
  );
  return { ...tokenizer, model: { ...own, merges } };
}

/** The unigram model with the spaces and characters that files of SentencePiece have. */
const spaced = (tokenizer: Json): Json => ({
  ...tokenizer,
  normalizer: {
    type: "Sequence",
    normalizers: [
      { type: "Strip", strip_left: true, strip_right: true },
      { type: "Replace", pattern: { Regex: " {2,}" }, content: " " },
    ],
  },
});

const ADDED = { special: true, single_word: false, lstrip: false, rstrip: false, normalized: false };
/** Word pieces with the tokens of BERT as added ones, and no other. */
const special = (tokenizer: Json): Json => ({
  ...tokenizer,
  added_tokens: ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].map((content, id) => ({ ...ADDED, id, content })),
});

const TEXTS = ["the cat sat on the mat", "Hello, world! é 日本 🙂", "a<s>b", "tabs\tand\nlines", "1234 don't", "x  y"];

describe("a tokenizer in a GGUF file", () => {
  it.each([
    ["bpe_byte_level", "gpt2", (t: Json) => t],
    ["bpe_byte_fallback", "llama", joined],
    ["unigram", "t5", spaced],
    ["wordpiece", "bert", special],
  ] as const)("%s is written as %s and cuts texts as before", async (name, kind, changed) => {
    const tokenizer = changed(fixture(name));
    const out = join(folder, `${name}.gguf`);
    const own = kind === "bert" ? { mask_token: "[MASK]", pad_token: "[PAD]" } : { bos_token: "<s>", eos_token: "</s>" };
    await quantizeToGguf({ base: model(name, tokenizer, own), out, to: "f32", jobs: 1 });
    const file = await openGgufPath(out);
    const value = (key: string): unknown => file.metadata.get(`tokenizer.ggml.${key}`)?.value;
    expect([value("model"), value("pre")]).toEqual([kind, kind === "gpt2" ? "smollm" : "default"]);
    const [before, after] = [Tokenizer.fromJson(JSON.stringify(tokenizer)), tokenizerFromGguf(file.metadata)];
    if (kind === "bert") {
      // As llama.cpp's converter names them.
      const ids = ["cls", "seperator", "unknown", "padding", "mask", "bos", "eos"].map((key) => value(`${key}_token_id`));
      expect(ids).toEqual([2, 3, 1, 0, 4, 2, 3]);
      expect((value("tokens") as string[]).slice(4, 7)).toEqual(["[MASK]", "▁!", "1"]);
    }
    for (const text of TEXTS) expect([text, after.encode(text).ids]).toEqual([text, before.encode(text).ids]);
    await file.close();
  });

  it.each([
    [false, null, [false, false]],
    [false, true, [false, undefined]],
    [true, false, [undefined, false]],
  ])("word pieces with lowercase %s and strip_accents %s say so, and come back", async (lowercase, strip, said) => {
    const own = special(fixture("wordpiece"));
    const tokenizer = {
      ...own,
      normalizer: { type: "BertNormalizer", clean_text: true, handle_chinese_chars: true, strip_accents: strip, lowercase },
    };
    const out = join(folder, `pieces-${lowercase}-${strip}.gguf`);
    await quantizeToGguf({ base: model(`pieces-${lowercase}-${strip}`, tokenizer, {}), out, to: "f32", jobs: 1 });
    const { metadata, close } = await openGgufPath(out);
    await close();
    expect(["lowercase", "strip_accents"].map((key) => metadata.get(`tokenizer.ggml.normalizer.${key}`)?.value)).toEqual(said);
    const [before, after] = [Tokenizer.fromJson(JSON.stringify(tokenizer)), tokenizerFromGguf(metadata)];
    for (const text of ["The Café cat", ...TEXTS]) expect([text, after.encode(text).ids]).toEqual([text, before.encode(text).ids]);
  });

  it.each([
    ["merges that SentencePiece has not", () => fixture("bpe_byte_fallback"), /its merges are not those of SentencePiece/],
    ["a normalizer that llama.cpp has not", () => fixture("unigram"), /it normalises texts \(NFKC\)/],
    [
      "word pieces of texts that are not cleaned",
      () => ({ ...fixture("wordpiece"), normalizer: { type: "BertNormalizer", clean_text: false } }),
      /clean_text is false, and llama.cpp always cuts texts as if it were true/,
    ],
    [
      "word pieces between spaces",
      () => ({ ...fixture("wordpiece"), pre_tokenizer: { type: "WhitespaceSplit" } }),
      /its texts are not cut as BERT's/,
    ],
    [
      "a splitter without a name",
      () => ({
        ...fixture("bpe_byte_level"),
        pre_tokenizer: { type: "Split", pattern: { Regex: "\\w" }, behavior: "Isolated", invert: false },
      }),
      /none of the ways of byte-level BPE/,
    ],
  ] as const)("with %s is refused", async (name, tokenizer, message) => {
    const base = model(name.replaceAll(" ", "-"), tokenizer());
    await expect(quantizeToGguf({ base, out: `${base}.gguf`, to: "f32" })).rejects.toThrow(message);
  });
});
