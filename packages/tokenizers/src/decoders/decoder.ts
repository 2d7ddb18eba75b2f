import type { ComponentKind } from "../json/read-component.js";

/** Turns tokens into parts of a text; the text is all of them, one after the other. */
export type Decoder = (tokens: string[]) => string[];

export type DecoderKind = ComponentKind<Decoder>;
