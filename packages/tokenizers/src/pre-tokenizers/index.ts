import { componentReader, type Reader } from "../json/read-component.js";
import { BERT } from "./bert.js";
import { BYTE_LEVEL } from "./byte-level.js";
import { DELIMITER } from "./delimiter.js";
import { DIGITS_KIND } from "./digits.js";
import { FIXED_LENGTH } from "./fixed-length.js";
import { METASPACE } from "./metaspace.js";
import type { PreTokenizer } from "./pre-tokenizer.js";
import { PUNCTUATION } from "./punctuation.js";
import { SEQUENCE } from "./sequence.js";
import { SPLIT } from "./split.js";
import { UNICODE_SCRIPTS } from "./unicode-scripts.js";
import { WHITESPACE, WHITESPACE_SPLIT } from "./whitespace.js";

/** Reads a pre-tokenizer, the `pre_tokenizer` of a file. */
export const readPreTokenizer: Reader<PreTokenizer> = componentReader("pre-tokenizer", [
  BERT,
  BYTE_LEVEL,
  DELIMITER,
  DIGITS_KIND,
  FIXED_LENGTH,
  METASPACE,
  PUNCTUATION,
  SEQUENCE,
  SPLIT,
  UNICODE_SCRIPTS,
  WHITESPACE,
  WHITESPACE_SPLIT,
]);
