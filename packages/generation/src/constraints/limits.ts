/** Most nodes of the automaton of a pattern or schema: repeats are written out. */
export const MAX_GRAMMAR_NODES = 200_000;
/** Deepest nesting of a schema or a pattern: reading them recurses. */
export const MAX_CONSTRAINT_DEPTH = 100;
/** Longest pattern, in UTF-16 units. */
export const MAX_CONSTRAINT_PATTERN: number = 10_000;
/** States that are remembered with what they allow; beyond it they are computed again. */
export const MAX_REMEMBERED_STATES = 20_000;
/** Longest token in bytes that a constraint allows; real ones have up to 1,000. */
export const MAX_TOKEN_BYTES = 1024;
/** Most places at which one state is at once: each byte is looked up in all of them. */
export const MAX_PLACES = 2000;
/** Most comparisons that tell whether the schemas of all `oneOf` exclude each other. */
export const MAX_COMPARISONS = 2000;
