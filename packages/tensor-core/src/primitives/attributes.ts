import type { Attrs } from "../attrs.js";

/** The axis that a call works along. */
export const axisOf = (attrs: Attrs): number => attrs.axis as number;

/** An attribute with a number per axis, or a list of axes. */
export const numbersOf = (attrs: Attrs, key: string): readonly number[] => attrs[key] as readonly number[];
