import { anyOf, CLASSES } from "../text/characters.js";
import { findAll, splitBy } from "../text/split.js";
import type { PreTokenizer, PreTokenizerKind } from "./pre-tokenizer.js";

const WORDS = findAll(new RegExp(`[${CLASSES.word}]+|[^${CLASSES.word}${CLASSES.whitespace}]+`, "gv"));
const SPACES = findAll(anyOf(CLASSES.whitespace));

/** Splits at white space, which is dropped. */
export const splitAtSpaces: PreTokenizer = (piece) => splitBy(piece, SPACES, "Removed");

/** Runs of word characters and runs of all others, without white space. */
export const WHITESPACE: PreTokenizerKind = { type: "Whitespace", read: () => (piece) => splitBy(piece, WORDS, "Removed", true) };

export const WHITESPACE_SPLIT: PreTokenizerKind = { type: "WhitespaceSplit", read: () => splitAtSpaces };
