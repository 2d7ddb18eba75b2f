import type { DecoderKind } from "./decoder.js";

/** Several, one after the other. */
export const SEQUENCE: DecoderKind = {
  type: "Sequence",
  read(field, inner) {
    const all = field.at("decoders").items().map(inner);
    return (tokens) => all.reduce((some, decode) => decode(some), tokens);
  },
};
