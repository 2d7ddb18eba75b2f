import type { PlainJson } from "../json/plain.js";

/** A part of a word that has an id. Places are UTF-16 units of the word. */
export interface Token {
  readonly id: number;
  readonly value: string;
  readonly start: number;
  readonly end: number;
}

/** Takes words apart into tokens of its vocabulary. */
export interface Model {
  /** How many tokens it has. */
  readonly size: number;
  /** @throws ConfigError kind `unknown-token` if the vocabulary cannot express the word */
  tokenize(word: string): readonly Token[];
  idOf(token: string): number | undefined;
  tokenOf(id: number): string | undefined;
  /** Every token with its id. */
  entries(): Iterable<readonly [string, number]>;
  /** As a file has it; undefined of models that files do not have. */
  toJson(): PlainJson | undefined;
}

/** The same as `tokenize`, for a bounded number of words done once. */
export function remembering(
  tokenize: (word: string) => readonly Token[],
  words: number,
  length: number,
): (word: string) => readonly Token[] {
  const known = new Map<string, readonly Token[]>();
  return (word) => {
    let tokens = known.get(word);
    if (tokens) return tokens;
    tokens = tokenize(word);
    if (known.size < words && word.length < length) known.set(word, tokens);
    return tokens;
  };
}
