import type { Field } from "../json/fields.js";
import { findText, splitBy } from "../text/split.js";
import type { PreTokenizerKind } from "./pre-tokenizer.js";

const SCHEMES = ["always", "first", "never"] as const;

/** Fields of `Metaspace`, of the decoder, too. */
export function readMetaspace(field: Field): { replacement: string; scheme: (typeof SCHEMES)[number]; split: boolean } {
  const prefix = field.at("add_prefix_space");
  const scheme = field.at("prepend_scheme");
  const read = scheme.oneOf(SCHEMES, "always");
  const never = !prefix.absent && !prefix.boolean();
  if (never && !scheme.absent && read !== "never") throw prefix.error(`false, where prepend_scheme is "${read}"`);
  return { replacement: field.at("replacement").character(), scheme: never ? "never" : read, split: field.at("split").boolean(true) };
}

const SPACE = findText(" ");

/** SentencePiece's words: a space is `▁`, which begins the word after it; one may be put in front of the text. */
export const METASPACE: PreTokenizerKind = {
  type: "Metaspace",
  read(field) {
    const { replacement, scheme, split } = readMetaspace(field);
    const find = findText(replacement);
    return (piece) => {
      let words = piece.replaced(SPACE(piece.text), replacement);
      const prepend = scheme === "always" || (scheme === "first" && piece.start === 0);
      if (prepend && !words.text.startsWith(replacement)) words = words.prepended(replacement);
      return split ? splitBy(words, find, "MergedWithNext") : [words];
    };
  },
};
