/**
 * Classes of characters as the insides of a RegExp class with flag `v`. They are those of the Python library, read from it code point by code point;
 * Unicode's version is the runtime's, which is newer.
 */
export const CLASSES = {
  /** `char::is_whitespace` */
  whitespace: "\\p{White_Space}",
  /** `char::is_numeric` */
  numeric: "\\p{N}",
  /** ASCII punctuation in the wide sense, with `$` and `+`; of the rest what Unicode calls so */
  punctuation: "\\p{P}!-\\/:-@\\[-`\\{-~",
  /** `\w` of the regex crate */
  word: "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}",
} as const;

/** A global pattern for single characters of a class. */
export const anyOf = (inside: string): RegExp => new RegExp(`[${inside}]`, "gv");

/** How many UTF-16 units the character at `at` has. */
export const unitsAt = (text: string, at: number): number => (text.codePointAt(at)! > 0xffff ? 2 : 1);

/** The text with U+FFFD for surrogates that stand alone, which have no UTF-8; its length is the same. */
export const wellFormed = (text: string): string => text.replace(/\p{Surrogate}/gu, "\ufffd");

const NOT_ASCII = /[^\0-\x7f]/;
/** Whether each character is one UTF-16 unit and one byte. */
export const isAscii = (text: string): boolean => !NOT_ASCII.test(text);
