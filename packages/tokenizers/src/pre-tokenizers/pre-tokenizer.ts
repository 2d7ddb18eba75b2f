import type { ComponentKind } from "../json/read-component.js";
import type { NormalizedString } from "../text/normalized-string.js";

/** Splits a piece of a normalized text into words, or further; empty ones are dropped after it. */
export type PreTokenizer = (piece: NormalizedString) => NormalizedString[];

export type PreTokenizerKind = ComponentKind<PreTokenizer>;

/** One after the other, each on what the one before has left. */
export const inTurn =
  (all: readonly PreTokenizer[]): PreTokenizer =>
  (piece) =>
    all.reduce<NormalizedString[]>((pieces, split) => pieces.flatMap(split).filter(({ text }) => text !== ""), [piece]);
