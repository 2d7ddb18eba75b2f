import type { DecoderKind } from "./decoder.js";

/** All tokens as one. */
export const FUSE: DecoderKind = { type: "Fuse", read: () => (tokens) => [tokens.join("")] };
