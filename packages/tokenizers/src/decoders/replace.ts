import { readPattern } from "../regex/compile.js";
import type { DecoderKind } from "./decoder.js";

/** A text in the place of each match of a pattern, token by token. */
export const REPLACE: DecoderKind = {
  type: "Replace",
  read(field) {
    const find = readPattern(field.at("pattern"));
    const content = field.at("content").string();
    return (tokens) =>
      tokens.map((token) => {
        const matches = find(token);
        let [text, at] = ["", 0];
        for (let i = 0; i < matches.length; i += 2) {
          text += token.slice(at, matches[i]) + content;
          at = matches[i + 1]!;
        }
        return text + token.slice(at);
      });
  },
};
