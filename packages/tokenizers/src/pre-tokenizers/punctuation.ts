import { anyOf, CLASSES } from "../text/characters.js";
import { BEHAVIORS, type Finder, findAll, splitBy } from "../text/split.js";
import type { PreTokenizerKind } from "./pre-tokenizer.js";

/** Finds marks of punctuation. */
export const findPunctuation: Finder = findAll(anyOf(CLASSES.punctuation));

/** Splits at punctuation. */
export const PUNCTUATION: PreTokenizerKind = {
  type: "Punctuation",
  read(field) {
    const behavior = field.at("behavior").oneOf(BEHAVIORS, "Isolated");
    return (piece) => splitBy(piece, findPunctuation, behavior);
  },
};
