/** Where tensors begin at multiples of if the file does not say. */
export const DEFAULT_ALIGNMENT = 32;
/** The metadata key that says where else. */
export const ALIGNMENT_KEY = "general.alignment";
/** Most bytes between the begins of two tensors that hold nothing; files use 32. */
export const MAX_ALIGNMENT: number = 1 << 20;
/** Most entries of metadata; real files have below 100. */
export const MAX_KEYS = 100_000;
/** Most tensors of a file; the largest models have some thousand. */
export const MAX_TENSORS = 1_000_000;
/** Most elements of all arrays of metadata together; vocabularies have up to 300,000 tokens. */
export const MAX_ARRAY_ITEMS = 10_000_000;
/** Longest string, in bytes. */
export const MAX_STRING_BYTES: number = 16 << 20;
/** Longest name of a tensor, in bytes, of ggml's. */
export const MAX_NAME_BYTES = 63;
/** Most axes of a tensor, of ggml's. */
export const MAX_DIMENSIONS = 4;
