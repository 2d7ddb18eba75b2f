/** Longest template, in UTF-16 units; the longest in use has 30,000. */
export const MAX_TEMPLATE_LENGTH: number = 256 << 10;
/** Longest run of white space in a template: a regular expression of the reader takes time in proportion to its square. */
export const MAX_WHITE_SPACE = 2000;
/** Longest text that a template makes, or keeps in a variable, in UTF-16 units. */
export const MAX_TEXT_LENGTH: number = 16 << 20;
/** Most steps of one rendering: an expression or statement is one, and so is each value of a list that it makes. A message takes about 100. */
export const MAX_STEPS = 2_000_000;
/** Text that takes a step to make, in UTF-16 units: it is copied from block to block. */
export const CHARACTERS_OF_A_STEP = 32;
/** Steps that a turn of a loop takes besides what stands in it: a scope and the values of `loop` are made. */
export const STEPS_OF_A_TURN = 10;
/** Most values in a list or an object, those inside of it counted where they stand: lists that hold one list twice would double with each. */
export const MAX_VALUES = 1_000_000;
/** Most numbers of a `range`; jinja's sandbox has the same. */
export const MAX_RANGE = 100_000;
/** Longest `tokenizer_config.json`, in bytes: those of models with many added tokens have 2 MB. */
export const MAX_CONFIG_BYTES: number = 16 << 20;
