import { describe, expect, it } from "vitest";
import { Tokenizer, tokenizerFromGguf } from "./index.js";

type Entries = { readonly [key: string]: unknown };
const metadata = (entries: Entries): Map<string, { value: unknown }> =>
  new Map(Object.entries(entries).map(([key, value]) => [`tokenizer.ggml.${key}`, { value }]));
const kindOf = (entries: Entries): string => {
  try {
    tokenizerFromGguf(metadata(entries), "tiny.gguf");
    return "accept";
  } catch (error) {
    return (error as { kind: string }).kind;
  }
};

const BPE = {
  model: "gpt2",
  pre: "smollm",
  tokens: ["<|end|>", "a", "b", "Ġ", "1", "ab", "Ġab"],
  token_type: Int32Array.of(3, 1, 1, 1, 1, 1, 1),
  merges: ["a b", "Ġ ab"],
};

describe("tokenizers of GGUF metadata", () => {
  it("byte-level BPE splits as `pre` says", () => {
    const tokenizer = tokenizerFromGguf(metadata(BPE));
    const { tokens, offsets } = tokenizer.encode("ab ab11<|end|>");
    expect(tokens).toEqual(["ab", "Ġab", "1", "1", "<|end|>"]);
    expect(offsets.at(-1)).toEqual([7, 14]);
    expect(tokenizer.decode(tokenizer.encode("ab ab11<|end|>").ids)).toBe("ab ab11");
  });

  it("SentencePiece's BPE merges by scores, begins with a space and a token, and falls back to bytes", () => {
    const tokens = ["<unk>", "<s>", "</s>", "<0xC3>", "<0xA9>", "▁", "a", "b", "▁a", "ab", "▁ab"];
    const scores = Float32Array.of(0, 0, 0, 0, 0, -3, -4, -5, -2, -1, -6);
    const tokenizer = tokenizerFromGguf(
      metadata({
        model: "llama",
        tokens,
        scores,
        token_type: Int32Array.of(2, 3, 3, 6, 6, 1, 1, 1, 1, 1, 1),
        bos_token_id: 1,
        eos_token_id: 2,
        unknown_token_id: 0,
      }),
    );
    const { ids } = tokenizer.encode("ab é");
    expect(ids.map((id) => tokens[id])).toEqual(["<s>", "▁ab", "▁", "<0xC3>", "<0xA9>"]);
    expect(tokenizer.decode(ids)).toBe("ab é");
  });

  it("WordPiece has words that begin with ▁", () => {
    const tokenizer = tokenizerFromGguf(
      metadata({
        model: "bert",
        tokens: ["[UNK]", "[CLS]", "[SEP]", "▁un", "able"],
        bos_token_id: 1,
        seperator_token_id: 2,
        unknown_token_id: 0,
      }),
    );
    expect(tokenizer.encode("Unable x").tokens).toEqual(["[CLS]", "un", "##able", "[UNK]", "[SEP]"]);
  });

  it("Unigram takes the most likely way", () => {
    const tokens = ["<pad>", "</s>", "<unk>", "▁a", "b", "▁ab", "▁"];
    const tokenizer = tokenizerFromGguf(
      metadata({ model: "t5", tokens, scores: Float32Array.of(0, 0, 0, -1, -1, -3, -2), eos_token_id: 1, unknown_token_id: 2 }),
    );
    expect(tokenizer.encode("ab a").tokens).toEqual(["▁a", "b", "▁a", "</s>"]);
  });

  it("RWKV World has bytes as Python writes them", () => {
    const tokenizer = tokenizerFromGguf(metadata({ model: "rwkv", tokens: ["<s>", "a", "\\xe6", "\\x97\\xa5", "a'", "\\n"] }));
    expect(tokenizer.encode("a'日\na").ids).toEqual([4, 2, 3, 5, 1]);
    expect(tokenizer.decode([4, 2, 3, 5, 1])).toBe("a'日\na");
  });

  it.each<[string, Entries, string]>([
    ["an unknown model", { ...BPE, model: "other" }, "tokenizer-metadata"],
    ["an unknown splitter", { ...BPE, pre: "other" }, "tokenizer-metadata"],
    ["no tokens", { ...BPE, tokens: undefined }, "tokenizer-metadata"],
    ["a merge of a token that there is not", { ...BPE, merges: ["a z"] }, "tokenizer-merge"],
    ["a merge of one token", { ...BPE, merges: ["ab"] }, "tokenizer-merge"],
    ["fewer types than tokens", { ...BPE, token_type: Int32Array.of(1) }, "tokenizer-metadata"],
    ["an id outside the vocabulary", { ...BPE, add_bos_token: true, bos_token_id: 7 }, "tokenizer-metadata"],
  ])("refuses %s", (_, entries, kind) => expect(kindOf(entries)).toBe(kind));

  it("become files that give the same", () => {
    const tokenizer = tokenizerFromGguf(metadata(BPE));
    const again = Tokenizer.fromJson(JSON.stringify(tokenizer.toJson()));
    expect(again.encode("ab ab11<|end|>")).toEqual(tokenizer.encode("ab ab11<|end|>"));
  });
});
