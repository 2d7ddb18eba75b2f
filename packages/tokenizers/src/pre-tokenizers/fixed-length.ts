import { unitsAt } from "../text/characters.js";
import type { NormalizedString } from "../text/normalized-string.js";
import type { PreTokenizerKind } from "./pre-tokenizer.js";

/** Pieces of so many characters; the last may be shorter. */
export const FIXED_LENGTH: PreTokenizerKind = {
  type: "FixedLength",
  read(field) {
    const length = field.at("length");
    const most = length.integer(5);
    if (most === 0) throw length.wrong("an integer above 0");
    return (piece) => {
      const pieces: NormalizedString[] = [];
      let from = 0;
      while (from < piece.text.length) {
        let to = from;
        for (let n = 0; n < most && to < piece.text.length; n++) to += unitsAt(piece.text, to);
        pieces.push(piece.slice(from, to));
        from = to;
      }
      return pieces;
    };
  },
};
