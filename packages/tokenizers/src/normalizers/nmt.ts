import { anyOf } from "../text/characters.js";
import type { NormalizerKind } from "./normalizer.js";

const REMOVED = anyOf("\\x01-\\x08\\x0B\\x0E-\\x1F\\x7F\\x8F\\x9F");
const SPACES = anyOf("\\t\\n\\f\\r\\u1680\\u200B-\\u200F\\u2028\\u2029\\u2581\\uFEFF\\uFFFD");

/** The cleaning of SentencePiece's `nmt` rules: controls are removed, and what may be taken for white space becomes a space. */
export const NMT: NormalizerKind = {
  type: "Nmt",
  read: () => (piece) => {
    const kept = piece.without(REMOVED);
    return kept.renamed(kept.text.replace(SPACES, " "));
  },
};
