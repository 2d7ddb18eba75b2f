import { anyOf, CLASSES } from "../text/characters.js";
import { findAll, splitBy } from "../text/split.js";
import type { PreTokenizerKind } from "./pre-tokenizer.js";

const DIGITS = findAll(anyOf(CLASSES.numeric));

/** Splits around numbers, or around each digit; digits of all scripts, fractions and numerals are among them. */
export const DIGITS_KIND: PreTokenizerKind = {
  type: "Digits",
  read(field) {
    const behavior = field.at("individual_digits").boolean() ? "Isolated" : "Contiguous";
    return (piece) => splitBy(piece, DIGITS, behavior);
  },
};
