import { wellFormed } from "../text/characters.js";
import type { NormalizerKind } from "./normalizer.js";

/** A text in front of every piece that is not empty. */
export const PREPEND: NormalizerKind = {
  type: "Prepend",
  read(field) {
    const text = wellFormed(field.at("prepend").string());
    return (piece) => piece.prepended(text);
  },
};
