import type { DecoderKind } from "./decoder.js";

/** Takes out the spaces that English does not have before punctuation and in contractions. */
export const cleanUp = (text: string): string =>
  text
    .replaceAll(" .", ".")
    .replaceAll(" ?", "?")
    .replaceAll(" !", "!")
    .replaceAll(" ,", ",")
    .replaceAll(" ' ", "'")
    .replaceAll(" n't", "n't")
    .replaceAll(" 'm", "'m")
    .replaceAll(" do not", " don't")
    .replaceAll(" 's", "'s")
    .replaceAll(" 've", "'ve")
    .replaceAll(" 're", "'re");

/** Spaces between words, none before what continues one. */
export const WORD_PIECE: DecoderKind = {
  type: "WordPiece",
  read(field) {
    const prefix = field.at("prefix").string("##");
    const clean = field.at("cleanup").boolean(true) ? cleanUp : (text: string): string => text;
    return (tokens) =>
      tokens.map((token, i) => clean(i === 0 ? token : token.startsWith(prefix) ? token.slice(prefix.length) : ` ${token}`));
  },
};
