import { readPattern } from "../regex/compile.js";
import type { NormalizerKind } from "./normalizer.js";

/** A text in the place of each match of a pattern. */
export const REPLACE: NormalizerKind = {
  type: "Replace",
  read(field) {
    const find = readPattern(field.at("pattern"));
    const content = field.at("content").string();
    return (piece) => piece.replaced(find(piece.text), content);
  },
};
