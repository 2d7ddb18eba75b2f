import type { DecoderKind } from "./decoder.js";
import { cleanUp } from "./word-piece.js";

/** Of connectionist temporal classification: repeats count once, padding is silence. */
export const CTC: DecoderKind = {
  type: "CTC",
  read(field) {
    const pad = field.at("pad_token").string();
    const delimiter = field.at("word_delimiter_token").string();
    const clean = field.at("cleanup").boolean();
    return (tokens) =>
      tokens
        .filter((token, i) => token !== tokens[i - 1])
        .map((token) => {
          const spoken = pad === "" ? token : token.replaceAll(pad, "");
          return clean ? cleanUp(spoken).replaceAll(delimiter, " ") : spoken;
        })
        .filter((token) => token !== "");
  },
};
