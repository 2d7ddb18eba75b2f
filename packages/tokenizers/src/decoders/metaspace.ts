import { readMetaspace } from "../pre-tokenizers/metaspace.js";
import type { DecoderKind } from "./decoder.js";

/** `▁` is a space, but none in the first token if one was put in front. */
export const METASPACE: DecoderKind = {
  type: "Metaspace",
  read(field) {
    const { replacement, scheme } = readMetaspace(field);
    return (tokens) => tokens.map((token, i) => token.replaceAll(replacement, i === 0 && scheme !== "never" ? "" : " "));
  },
};
