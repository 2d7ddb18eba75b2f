import { CLASSES } from "../text/characters.js";
import { Trie } from "../models/trie.js";
import type { AddedToken } from "./added-token.js";

/** A token found in a text. */
export interface FoundToken {
  readonly token: AddedToken;
  readonly from: number;
  readonly to: number;
}

/** @param skipSpecial special tokens are text like any other */
export type TokenFinder = (text: string, skipSpecial: boolean) => FoundToken[];

const WORD_AT = new RegExp(`[${CLASSES.word}]`, "vy");
const SPACES_AT = new RegExp(`[${CLASSES.whitespace}]*`, "vy");
const SPACE = new RegExp(`[${CLASSES.whitespace}]`, "v");

const wordAt = (text: string, at: number): boolean => {
  WORD_AT.lastIndex = at;
  return WORD_AT.test(text);
};
/** Where the character before `at` begins. */
const before = (text: string, at: number): number => (at > 1 && text.codePointAt(at - 2)! > 0xffff ? at - 2 : at - 1);

/**
 * Finds tokens in texts: the longest of those that begin first, without overlaps.
 * @param tokens with the texts to look for
 * @see tokenizers `added_vocabulary.rs` find_matches
 */
export function tokenFinder(tokens: readonly (readonly [string, AddedToken])[]): TokenFinder {
  const named = tokens.filter(([content]) => content !== "");
  const trie = new Trie(named.map(([content], i) => [content, i]));
  // Most characters begin no token.
  const begins = new Uint8Array(named.length === 0 ? 0 : 65_536);
  for (const [content] of named) begins[content.charCodeAt(0)] = 1;

  return (text, skipSpecial) => {
    const found: FoundToken[] = [];
    if (named.length === 0) return found;
    let done = 0;
    for (let at = 0; at < text.length; at++) {
      if (begins[text.charCodeAt(at)] === 0) continue;
      let [end, index] = [-1, -1];
      trie.prefixes(text, at, (to, value) => {
        end = to;
        index = value;
      });
      if (index < 0) continue;
      const { [1]: token } = named[index]!;
      let [from, to] = [at, end];
      at = end - 1;
      if (skipSpecial && token.special) continue;
      if (token.singleWord && ((from > 0 && wordAt(text, before(text, from))) || wordAt(text, to))) continue;
      if (token.lstrip) while (from > done && SPACE.test(text[from - 1]!)) from--;
      if (token.rstrip) {
        SPACES_AT.lastIndex = to;
        to += SPACES_AT.exec(text)![0].length;
      }
      found.push({ token, from: Math.max(from, done), to: Math.max(to, done) });
      done = Math.max(to, done);
    }
    return found;
  };
}
