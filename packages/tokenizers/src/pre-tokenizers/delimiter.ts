import { findText, splitBy } from "../text/split.js";
import type { PreTokenizerKind } from "./pre-tokenizer.js";

/** Splits at a character, which is dropped. */
export const DELIMITER: PreTokenizerKind = {
  type: "CharDelimiterSplit",
  read(field) {
    const find = findText(field.at("delimiter").character());
    return (piece) => splitBy(piece, find, "Removed");
  },
};
