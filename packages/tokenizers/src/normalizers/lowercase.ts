import type { Normalizer, NormalizerKind } from "./normalizer.js";

/** Of all characters only these depend on what stands beside them, or become two. */
const SPECIAL = /[\u0130\u03a3]/;

/** Character by character, so that a final capital sigma becomes σ, as in Rust. */
export const lowercase: Normalizer = (piece) =>
  SPECIAL.test(piece.text) ? piece.mapped((char) => char.toLowerCase()) : piece.renamed(piece.text.toLowerCase());

export const LOWERCASE: NormalizerKind = { type: "Lowercase", read: () => lowercase };
