import { CACHED_WORD_LENGTH, CACHED_WORDS, MAX_MERGES, MAX_WORD_SYMBOLS } from "../limits.js";
import type { Field } from "../json/fields.js";
import type { PlainJson } from "../json/plain.js";
import type { ComponentKind } from "../json/read-component.js";
import { optionError, unknownToken } from "../tokenizer-error.js";
import { mergeWord, type Merges, type Symbols } from "./merge-word.js";
import { type Model, remembering, type Token } from "./model.js";
import { PairTable } from "./pair-table.js";
import { Vocabulary } from "./vocabulary.js";
import { VocabularyModel } from "./vocabulary-model.js";

/** What a BPE model is made of; names are those of files in camelCase. */
export interface BpeOptions {
  readonly vocab: Vocabulary;
  readonly merges: readonly (readonly [string, string])[];
  readonly unkToken?: string | undefined;
  readonly continuingSubwordPrefix?: string | undefined;
  readonly endOfWordSuffix?: string | undefined;
  /** Neighbouring unknown characters are one token. */
  readonly fuseUnk?: boolean;
  /** A character that is not in the vocabulary becomes its bytes, as `<0xE2>`. */
  readonly byteFallback?: boolean;
  /** A word that is a token as a whole is not taken apart. */
  readonly ignoreMerges?: boolean;
}

/** Why merges are none of a vocabulary. */
export class MergeError extends Error {
  readonly index: number;

  constructor(index: number, message: string) {
    super(message);
    this.index = index;
  }
}

const encoder = new TextEncoder();
const byteToken = (byte: number): string => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;
/** The tokens that stand for the bytes of a text, if the vocabulary has them all. */
export function byteTokens(text: string, idOf: (token: string) => number | undefined): { value: string; id: number }[] | undefined {
  const tokens: { value: string; id: number }[] = [];
  for (const byte of encoder.encode(text)) {
    const value = byteToken(byte);
    const id = idOf(value);
    if (id === undefined) return undefined;
    tokens.push({ value, id });
  }
  return tokens;
}

/** Byte pair encoding: characters, joined by merges in the order in which they were learned. */
export class Bpe extends VocabularyModel implements Model {
  readonly #options: BpeOptions;
  readonly #merges: Merges;
  readonly tokenize: (word: string) => readonly Token[];

  /** @throws MergeError */
  constructor(options: BpeOptions) {
    super(options.vocab);
    this.#options = options;
    const { vocab, merges, continuingSubwordPrefix: prefix = "" } = options;
    const ranks = new PairTable(merges.length);
    const made = new Uint32Array(merges.length);
    for (const [rank, [left, right]] of merges.entries()) {
      const ids = [left, right, left + right.slice(prefix.length)].map((token) => {
        const id = vocab.idOf(token);
        if (id === undefined) throw new MergeError(rank, `${JSON.stringify(token)} is not in the vocabulary`);
        return id;
      });
      ranks.set(ids[0]!, ids[1]!, rank);
      made[rank] = ids[2]!;
    }
    this.#merges = { ranks, made };
    this.tokenize = remembering((word) => this.#tokenize(word), CACHED_WORDS, CACHED_WORD_LENGTH);
  }

  #tokenize(word: string): Token[] {
    const { vocab, ignoreMerges } = this.#options;
    const whole = ignoreMerges ? vocab.idOf(word) : undefined;
    if (whole !== undefined) return [{ id: whole, value: word, start: 0, end: word.length }];
    const { ids, starts, ends } = mergeWord(this.#symbols(word), this.#merges);
    return ids.map((id, i) => ({ id, value: vocab.tokenOf(id)!, start: starts[i]!, end: ends[i]! }));
  }

  /** The characters of a word. What is not in the vocabulary becomes bytes or unknown; with neither, it is left out, as in the Python library. */
  #symbols(word: string): Symbols {
    const { vocab, unkToken, fuseUnk, byteFallback, continuingSubwordPrefix: prefix, endOfWordSuffix: suffix } = this.#options;
    const symbols: Symbols = { ids: [], starts: [], ends: [] };
    const add = (id: number, start: number, end: number): void => {
      symbols.ids.push(id);
      symbols.starts.push(start);
      symbols.ends.push(end);
    };
    let unknownTo = -1;
    for (let at = 0; at < word.length;) {
      const char = String.fromCodePoint(word.codePointAt(at)!);
      const end = at + char.length;
      const symbol = `${at > 0 && prefix ? prefix : ""}${char}${end === word.length && suffix ? suffix : ""}`;
      const id = vocab.idOf(symbol);
      const bytes = id === undefined && byteFallback ? byteTokens(symbol, (token) => vocab.idOf(token)) : undefined;
      if (id !== undefined) add(id, at, end);
      else if (bytes) for (const byte of bytes) add(byte.id, at, end);
      else if (unkToken !== undefined) {
        if (fuseUnk && unknownTo === at) symbols.ends[symbols.ends.length - 1] = end;
        else {
          const unk = vocab.idOf(unkToken);
          if (unk === undefined) throw unknownToken(char, `neither is the unknown token ${JSON.stringify(unkToken)}`);
          add(unk, at, end);
        }
        unknownTo = end;
      }
      at = end;
    }
    if (symbols.ids.length > MAX_WORD_SYMBOLS)
      throw optionError(`a word of ${symbols.ids.length} characters, at most ${MAX_WORD_SYMBOLS} are merged`, "split the text before");
    return symbols;
  }

  toJson(): PlainJson {
    const { vocab, merges, unkToken, continuingSubwordPrefix, endOfWordSuffix, fuseUnk, byteFallback, ignoreMerges } = this.#options;
    return {
      type: "BPE",
      dropout: null,
      unk_token: unkToken ?? null,
      continuing_subword_prefix: continuingSubwordPrefix ?? null,
      end_of_word_suffix: endOfWordSuffix ?? null,
      fuse_unk: fuseUnk ?? false,
      byte_fallback: byteFallback ?? false,
      ignore_merges: ignoreMerges ?? false,
      vocab: vocab.toJson(),
      merges,
    };
  }
}

/** `merges`: pairs, or, in files of before 2024, texts with a space between the two. */
function readMerges(field: Field): (readonly [string, string])[] {
  const { list } = field;
  if (list.length > MAX_MERGES) throw field.error(`${list.length} merges, at most ${MAX_MERGES} are read`, "limit");
  return list.map((merge, i) => {
    const pair = typeof merge === "string" ? merge.split(" ") : merge;
    if (!Array.isArray(pair) || pair.length !== 2 || typeof pair[0] !== "string" || typeof pair[1] !== "string")
      throw field.items()[i]!.wrong("two tokens");
    return [pair[0], pair[1]];
  });
}

const optional = (field: Field): string | undefined => (field.absent ? undefined : field.string());

export const BPE: ComponentKind<Model> = {
  type: "BPE",
  read(field) {
    if (field.at("dropout").number(0) > 0) throw field.at("dropout").wrong("null or 0: tokens are not dropped at random here");
    const merges = field.at("merges");
    try {
      return new Bpe({
        vocab: Vocabulary.read(field.at("vocab")),
        merges: readMerges(merges),
        unkToken: optional(field.at("unk_token")),
        continuingSubwordPrefix: optional(field.at("continuing_subword_prefix")),
        endOfWordSuffix: optional(field.at("end_of_word_suffix")),
        fuseUnk: field.at("fuse_unk").boolean(false),
        byteFallback: field.at("byte_fallback").boolean(false),
        ignoreMerges: field.at("ignore_merges").boolean(false),
      });
    } catch (error) {
      if (error instanceof MergeError) throw merges.items()[error.index]!.error(error.message, "tokenizer-merge");
      throw error;
    }
  },
};
