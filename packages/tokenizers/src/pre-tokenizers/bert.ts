import { splitBy } from "../text/split.js";
import { inTurn, type PreTokenizerKind } from "./pre-tokenizer.js";
import { findPunctuation } from "./punctuation.js";
import { splitAtSpaces } from "./whitespace.js";

/** Splits at white space, which is dropped, and around each mark of punctuation. */
export const BERT: PreTokenizerKind = {
  type: "BertPreTokenizer",
  read: () => inTurn([splitAtSpaces, (piece) => splitBy(piece, findPunctuation, "Isolated")]),
};
