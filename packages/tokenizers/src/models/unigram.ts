import { CACHED_WORD_LENGTH, CACHED_WORDS, MAX_TOKENS } from "../limits.js";
import type { Field } from "../json/fields.js";
import type { PlainJson } from "../json/plain.js";
import type { ComponentKind } from "../json/read-component.js";
import { unitsAt } from "../text/characters.js";
import { unknownToken } from "../tokenizer-error.js";
import { byteTokens } from "./bpe.js";
import { type Model, remembering, type Token } from "./model.js";
import { Trie } from "./trie.js";
import { Vocabulary } from "./vocabulary.js";

/** How much worse than the worst token an unknown character is. */
export const UNKNOWN_PENALTY = 10;

/** What a Unigram model is made of. */
export interface UnigramOptions {
  /** Tokens and their log probabilities; ids are their places. */
  readonly pieces: readonly (readonly [string, number])[];
  readonly unkId?: number | undefined;
  /** An unknown part of a word becomes its bytes, as `<0xE2>`. */
  readonly byteFallback?: boolean;
}

/** SentencePiece's unigram language model: the most likely way to take a word apart, by Viterbi's algorithm. */
export class Unigram implements Model {
  readonly #pieces: readonly (readonly [string, number])[];
  readonly #unk: number | undefined;
  readonly #byteFallback: boolean;
  readonly #vocab: Vocabulary;
  readonly #trie: Trie;
  readonly #unknownScore: number;
  readonly tokenize: (word: string) => readonly Token[];

  constructor({ pieces, unkId, byteFallback = false }: UnigramOptions) {
    this.#pieces = pieces;
    this.#unk = unkId;
    this.#byteFallback = byteFallback;
    this.#vocab = Vocabulary.of(pieces.map(([token]) => token));
    this.#trie = new Trie(this.#vocab.ids);
    this.#unknownScore = pieces.reduce((least, [, score]) => Math.min(least, score), Infinity) - UNKNOWN_PENALTY;
    this.tokenize = remembering((word) => this.#tokenize(word), CACHED_WORDS, CACHED_WORD_LENGTH);
  }

  get size(): number {
    return this.#pieces.length;
  }

  idOf(token: string): number | undefined {
    return this.#vocab.idOf(token);
  }

  tokenOf(id: number): string | undefined {
    return this.#pieces[id]?.[0];
  }

  entries(): Iterable<readonly [string, number]> {
    return this.#vocab.ids;
  }

  #tokenize(word: string): Token[] {
    return this.#bestPath(word).flatMap(({ start, end }) => {
      const value = word.slice(start, end);
      const id = this.#vocab.idOf(value);
      if (id !== undefined) return [{ id, value, start, end }];
      const bytes = this.#byteFallback ? byteTokens(value, (token) => this.#vocab.idOf(token)) : undefined;
      if (bytes) return bytes.map((byte) => ({ ...byte, start, end }));
      return [{ id: this.#unk!, value, start, end }];
    });
  }

  /** Where the parts of the best path begin and end; unknown ones side by side are one. */
  #bestPath(word: string): { start: number; end: number }[] {
    const size = word.length;
    const scores = new Float64Array(size + 1);
    const ids = new Int32Array(size + 1);
    const from = new Int32Array(size + 1).fill(-1);
    for (let at = 0; at < size;) {
      const width = unitsAt(word, at);
      let single = false;
      const here = scores[at]!;
      const reach = (end: number, id: number, score: number): void => {
        if (from[end] !== -1 && score <= scores[end]!) return;
        scores[end] = score;
        from[end] = at;
        ids[end] = id;
      };
      this.#trie.prefixes(word, at, (end, id) => {
        reach(end, id, this.#pieces[id]![1] + here);
        single ||= end - at === width;
      });
      if (!single) {
        if (this.#unk === undefined) throw unknownToken(word.slice(at, at + width), "the model has no unknown token");
        reach(at + width, this.#unk, this.#unknownScore + here);
      }
      at += width;
    }
    const parts: { start: number; end: number }[] = [];
    let unknown = false;
    for (let end = size; end > 0;) {
      const start = from[end]!;
      const isUnknown = ids[end] === this.#unk;
      if (isUnknown && unknown) parts[parts.length - 1]!.start = start;
      else parts.push({ start, end });
      unknown = isUnknown;
      end = start;
    }
    return parts.reverse();
  }

  toJson(): PlainJson {
    return { type: "Unigram", unk_id: this.#unk ?? null, vocab: this.#pieces, byte_fallback: this.#byteFallback };
  }
}

function readPieces(field: Field): (readonly [string, number])[] {
  if (field.list.length > MAX_TOKENS) throw field.error(`${field.list.length} tokens, at most ${MAX_TOKENS} are read`, "limit");
  return field.items().map((item) => {
    const [token, score, ...more] = item.items();
    if (!token || !score || more.length > 0) throw item.wrong("a token and its score");
    return [token.string(), score.number()];
  });
}

export const UNIGRAM: ComponentKind<Model> = {
  type: "Unigram",
  read(field) {
    const pieces = readPieces(field.at("vocab"));
    const unk = field.at("unk_id");
    return new Unigram({
      pieces,
      unkId: unk.absent ? undefined : unk.integer(undefined, pieces.length - 1),
      byteFallback: field.at("byte_fallback").boolean(false),
    });
  },
};
