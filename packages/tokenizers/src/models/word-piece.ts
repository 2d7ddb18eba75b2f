import type { ComponentKind } from "../json/read-component.js";
import type { PlainJson } from "../json/plain.js";
import { CACHED_WORD_LENGTH, CACHED_WORDS } from "../limits.js";
import { unknownToken } from "../tokenizer-error.js";
import { type Model, remembering, type Token } from "./model.js";
import { Vocabulary } from "./vocabulary.js";
import { VocabularyModel } from "./vocabulary-model.js";

/** What a WordPiece model is made of. */
export interface WordPieceOptions {
  readonly vocab: Vocabulary;
  /** `[UNK]` if not given. */
  readonly unkToken?: string;
  /** `##` if not given. */
  readonly continuingSubwordPrefix?: string;
  /** Longer words are unknown; 100 if not given. */
  readonly maxInputCharsPerWord?: number;
}

/** BERT's model: the longest token that begins the word, then the longest that continues it; unknown as a whole if that fails. */
export class WordPiece extends VocabularyModel implements Model {
  readonly #unk: string;
  readonly #prefix: string;
  readonly #most: number;
  readonly #longest: number;
  readonly tokenize: (word: string) => readonly Token[];

  constructor({ vocab, unkToken = "[UNK]", continuingSubwordPrefix = "##", maxInputCharsPerWord = 100 }: WordPieceOptions) {
    super(vocab);
    this.#unk = unkToken;
    this.#prefix = continuingSubwordPrefix;
    this.#most = maxInputCharsPerWord;
    let longest = 0;
    for (const token of vocab.ids.keys()) longest = Math.max(longest, token.length);
    this.#longest = longest;
    this.tokenize = remembering((word) => this.#tokenize(word), CACHED_WORDS, CACHED_WORD_LENGTH);
  }

  #tokenize(word: string): Token[] {
    if (word.length > this.#most && [...word].length > this.#most) return this.#unknown(word);
    const tokens: Token[] = [];
    for (let start = 0; start < word.length;) {
      const token = this.#longestAt(word, start);
      if (!token) return this.#unknown(word);
      tokens.push(token);
      start = token.end;
    }
    return tokens;
  }

  #longestAt(word: string, start: number): Token | undefined {
    for (let end = Math.min(word.length, start + this.#longest); end > start; end--) {
      const value = start > 0 ? this.#prefix + word.slice(start, end) : word.slice(start, end);
      const id = this.vocab.idOf(value);
      if (id !== undefined) return { id, value, start, end };
    }
    return undefined;
  }

  #unknown(word: string): Token[] {
    const id = this.vocab.idOf(this.#unk);
    if (id === undefined) throw unknownToken(word, `neither is the unknown token ${JSON.stringify(this.#unk)}`);
    return [{ id, value: this.#unk, start: 0, end: word.length }];
  }

  toJson(): PlainJson {
    return {
      type: "WordPiece",
      unk_token: this.#unk,
      continuing_subword_prefix: this.#prefix,
      max_input_chars_per_word: this.#most,
      vocab: this.vocab.toJson(),
    };
  }
}

export const WORD_PIECE: ComponentKind<Model> = {
  type: "WordPiece",
  read: (field) =>
    new WordPiece({
      vocab: Vocabulary.read(field.at("vocab")),
      unkToken: field.at("unk_token").string("[UNK]"),
      continuingSubwordPrefix: field.at("continuing_subword_prefix").string("##"),
      maxInputCharsPerWord: field.at("max_input_chars_per_word").integer(100),
    }),
};
