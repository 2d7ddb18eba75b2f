import type { DecoderKind } from "./decoder.js";

/** Up to so many of a character are taken off the ends of each token. */
export const STRIP: DecoderKind = {
  type: "Strip",
  read(field) {
    const content = field.at("content").character();
    const [start, stop] = [field.at("start").integer(), field.at("stop").integer()];
    return (tokens) =>
      tokens.map((token) => {
        let [from, to] = [0, token.length];
        for (let n = 0; n < start && token.startsWith(content, from); n++) from += content.length;
        for (let n = 0; n < stop && to > from && token.slice(from, to).endsWith(content); n++) to -= content.length;
        return token.slice(from, to);
      });
  },
};
