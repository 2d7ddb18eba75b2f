import { inByteChars } from "../text/byte-level.js";
import { findAll, splitBy } from "../text/split.js";
import type { PreTokenizerKind } from "./pre-tokenizer.js";

/** GPT-2's pattern, with white space as Unicode has it. */
const WORDS = findAll(
  new RegExp(
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\p{White_Space}\\p{L}\\p{N}]+|\\p{White_Space}+(?!\\P{White_Space})|\\p{White_Space}+",
    "gv",
  ),
);

/** Splits as GPT-2 does, and writes bytes as its characters. */
export const BYTE_LEVEL: PreTokenizerKind = {
  type: "ByteLevel",
  read(field) {
    const prefix = field.at("add_prefix_space").boolean();
    const split = field.at("use_regex").boolean(true);
    return (piece) => {
      const begun = prefix && !piece.text.startsWith(" ") ? piece.prepended(" ") : piece;
      return (split ? splitBy(begun, WORDS, "Isolated") : [begun]).map(inByteChars);
    };
  },
};
