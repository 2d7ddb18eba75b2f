import { CLASSES } from "../text/characters.js";
import type { Normalizer, NormalizerKind } from "./normalizer.js";

const LEADING = new RegExp(`^[${CLASSES.whitespace}]*`, "v");
const SPACE = new RegExp(`[${CLASSES.whitespace}]`, "v");

/** White space at the ends is removed; it is all of one UTF-16 unit. */
const strip =
  (left: boolean, right: boolean): Normalizer =>
  (piece) => {
    const { text } = piece;
    const from = left ? LEADING.exec(text)![0].length : 0;
    let to = text.length;
    if (right) while (to > from && SPACE.test(text[to - 1]!)) to--;
    return from === 0 && to === text.length ? piece : piece.trimmed(from, to);
  };

export const STRIP: NormalizerKind = {
  type: "Strip",
  read: (field) => strip(field.at("strip_left").boolean(), field.at("strip_right").boolean()),
};
