import { anyOf } from "../text/characters.js";
import type { NormalizerKind } from "./normalizer.js";

const MARKS = anyOf("\\p{M}");

/** Combining marks are removed; `NFD` before it takes accents apart from their letters. */
export const STRIP_ACCENTS: NormalizerKind = { type: "StripAccents", read: () => (piece) => piece.without(MARKS) };
