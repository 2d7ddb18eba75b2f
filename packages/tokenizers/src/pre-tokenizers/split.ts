import { readPattern } from "../regex/compile.js";
import { BEHAVIORS, splitBy } from "../text/split.js";
import type { PreTokenizerKind } from "./pre-tokenizer.js";

/** Splits by a text or a regular expression. */
export const SPLIT: PreTokenizerKind = {
  type: "Split",
  read(field) {
    const find = readPattern(field.at("pattern"));
    const behavior = field.at("behavior").oneOf(BEHAVIORS);
    const invert = field.at("invert").boolean(false);
    return (piece) => splitBy(piece, find, behavior, invert);
  },
};
