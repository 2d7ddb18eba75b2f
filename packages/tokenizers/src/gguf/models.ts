import type { PlainJson } from "../json/plain.js";
import { Bpe, MergeError } from "../models/bpe.js";
import { LongestMatch } from "../models/longest-match.js";
import type { Model } from "../models/model.js";
import { Unigram } from "../models/unigram.js";
import { Vocabulary } from "../models/vocabulary.js";
import { WordPiece } from "../models/word-piece.js";
import { unescape } from "../rwkv/python-literal.js";
import { BYTE_CHARS } from "../text/byte-level.js";
import { mergesOfScores } from "./merges-of-scores.js";
import type { TokenizerMetadata } from "./metadata.js";
import { preTokenizerJson, SPLITTER_NAMES, splitterOf } from "./pre-tokenizers.js";

/** A model of a GGUF file, and what is around it, as in a `tokenizer.json`. */
export interface GgufModel {
  readonly model: Model;
  /** As the model has them. */
  readonly tokens: readonly string[];
  readonly parts: { readonly [field: string]: PlainJson };
  /** Which tokens are put around a text where the file does not say. */
  readonly adds: { readonly bos: boolean; readonly eos: boolean };
}

type ReadModel = (metadata: TokenizerMetadata, tokens: readonly string[]) => GgufModel;

const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false };

/** Byte-level BPE. */
const gpt2: ReadModel = (metadata, tokens) => {
  const pre = metadata.has("pre") ? metadata.text("pre") : "default";
  const splitter = splitterOf(pre);
  if (!splitter) throw metadata.wrong("pre", `expected one of ${SPLITTER_NAMES.join(", ")}, got ${JSON.stringify(pre)}`);
  const merges = metadata.texts("merges").map((merge, i): [string, string] => {
    // A token may begin with a space, where it is no byte's character.
    const at = merge.indexOf(" ", 1);
    if (at < 0) throw metadata.wrong("merges", `${JSON.stringify(merge)} (number ${i}) is not two tokens`, "tokenizer-merge");
    return [merge.slice(0, at), merge.slice(at + 1)];
  });
  try {
    return {
      model: new Bpe({ vocab: Vocabulary.of(tokens), merges, ignoreMerges: splitter.ignoreMerges ?? false }),
      tokens,
      parts: { pre_tokenizer: preTokenizerJson(splitter), decoder: byteLevel },
      adds: { bos: splitter.addBos ?? false, eos: false },
    };
  } catch (error) {
    if (error instanceof MergeError) throw metadata.wrong("merges", `${error.message} (number ${error.index})`, "tokenizer-merge");
    throw error;
  }
};

const scoresOf = (metadata: TokenizerMetadata, tokens: readonly string[]): ArrayLike<number> => {
  const scores = metadata.numbers("scores", tokens);
  if (!scores) throw metadata.wrong("scores", "expected a list of numbers, got nothing");
  return scores;
};

/** SentencePiece's BPE, whose merges follow from the scores of tokens; bytes for what is not in the vocabulary. */
const llama: ReadModel = (metadata, tokens) => {
  const vocab = Vocabulary.of(tokens);
  const prefix = metadata.flag("add_space_prefix", true);
  const unk = metadata.id("unknown_token_id", tokens);
  return {
    model: new Bpe({
      vocab,
      merges: mergesOfScores(tokens, scoresOf(metadata, tokens)),
      unkToken: tokens[unk ?? 0],
      fuseUnk: true,
      byteFallback: true,
    }),
    tokens,
    parts: {
      normalizer: {
        type: "Sequence",
        normalizers: [...(prefix ? [{ type: "Prepend", prepend: "▁" }] : []), { type: "Replace", pattern: { String: " " }, content: "▁" }],
      },
      decoder: {
        type: "Sequence",
        decoders: [
          { type: "Replace", pattern: { String: "▁" }, content: " " },
          { type: "ByteFallback" },
          { type: "Fuse" },
          ...(prefix ? [{ type: "Strip", content: " ", start: 1, stop: 0 }] : []),
        ],
      },
    },
    adds: { bos: true, eos: false },
  };
};

/** Values of `tokenizer.ggml.token_type` of tokens that no text becomes by itself: 2 unknown, 3 control, 4 user defined. */
const isSpecial = (type: number): boolean => type >= 2 && type <= 4;

/** WordPiece, whose words begin with `▁` in these files, and nothing marks what continues one. */
const bert: ReadModel = (metadata, stored) => {
  const types = metadata.numbers("token_type", stored);
  const tokens = stored.map((token, id) => {
    if (types ? isSpecial(types[id]!) : /^\[.+\]$/.test(token)) return token;
    return token.startsWith("▁") ? token.slice(1) : `##${token}`;
  });
  return {
    model: new WordPiece({ vocab: Vocabulary.of(tokens), unkToken: tokens[metadata.id("unknown_token_id", tokens) ?? 100] ?? "[UNK]" }),
    tokens,
    parts: {
      normalizer: {
        type: "BertNormalizer",
        clean_text: true,
        handle_chinese_chars: true,
        strip_accents: metadata.flag("normalizer.strip_accents", true),
        lowercase: metadata.flag("normalizer.lowercase", true),
      },
      pre_tokenizer: { type: "BertPreTokenizer" },
      decoder: { type: "WordPiece", prefix: "##", cleanup: true },
    },
    adds: { bos: true, eos: true },
  };
};

/** SentencePiece's unigram model. */
const t5: ReadModel = (metadata, tokens) => {
  const scores = scoresOf(metadata, tokens);
  const charsmap = metadata.bytes("precompiled_charsmap");
  const prefix = metadata.flag("add_space_prefix", true) ? "always" : "never";
  const metaspace = { type: "Metaspace", replacement: "▁", prepend_scheme: prefix, split: true };
  const collapse = metadata.flag("remove_extra_whitespaces", false)
    ? [
        { type: "Strip", strip_left: true, strip_right: true },
        { type: "Replace", pattern: { Regex: " {2,}" }, content: " " },
      ]
    : [];
  return {
    model: new Unigram({
      pieces: tokens.map((token, id) => [token, scores[id]!] as const),
      unkId: metadata.id("unknown_token_id", tokens) ?? 2,
    }),
    tokens,
    parts: {
      normalizer: {
        type: "Sequence",
        normalizers: [
          ...(charsmap
            ? [{ type: "Precompiled", precompiled_charsmap: btoa(Array.from(charsmap, (one) => String.fromCharCode(one & 255)).join("")) }]
            : []),
          ...collapse,
        ],
      },
      pre_tokenizer: metaspace,
      decoder: metaspace,
    },
    adds: { bos: false, eos: true },
  };
};

/** RWKV World: bytes, written as Python writes them. */
const rwkv: ReadModel = (metadata, stored) => {
  const tokens = stored.map((token, id) => {
    const bytes = unescape(token, true);
    if (!bytes) throw metadata.wrong("tokens", `${JSON.stringify(token)} (number ${id}) is not what Python writes of bytes`);
    return Array.from(bytes, (byte) => BYTE_CHARS[byte]).join("");
  });
  const bytes = { ...byteLevel, trim_offsets: false };
  // Number 0 ends a text; no text becomes it.
  const vocab = new Vocabulary(tokens.map((token, id) => [token, id] as const).slice(1));
  return { model: new LongestMatch(vocab), tokens, parts: { pre_tokenizer: bytes, decoder: bytes }, adds: { bos: false, eos: false } };
};

/** By `tokenizer.ggml.model`. */
export const GGUF_MODELS: ReadonlyMap<string, ReadModel> = new Map([
  ["gpt2", gpt2],
  ["llama", llama],
  ["bert", bert],
  ["t5", t5],
  ["rwkv", rwkv],
]);
