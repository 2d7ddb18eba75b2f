import type { DecoderKind } from "./decoder.js";

/** The suffix of a word's end is a space, but for the last. */
export const BPE: DecoderKind = {
  type: "BPEDecoder",
  read(field) {
    const suffix = field.at("suffix").string("</w>");
    return (tokens) => tokens.map((token, i) => token.replaceAll(suffix, i === tokens.length - 1 ? "" : " "));
  },
};
