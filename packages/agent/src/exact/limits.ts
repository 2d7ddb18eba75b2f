/** Longest expression, in UTF-16 units: reading one takes time with its length. */
export const MAX_EXPRESSION_LENGTH = 10_000;
/** Deepest nesting of an expression: reading one recurses. */
export const MAX_EXPRESSION_DEPTH = 200;
/** Most bits of a numerator or denominator: 19,700 digits. `9^9^9` would have 370 million. */
export const MAX_NUMBER_BITS = 65_536;
/** Greatest n of n!: its result has 54,000 bits. */
export const MAX_FACTORIAL = 5000n;
/** Greatest q of x^(p/q). */
export const MAX_ROOT = 64n;
