/** Longest file that describes a tokenizer, in bytes; the largest vocabularies take 35 MB. */
export const MAX_TOKENIZER_BYTES: number = 64 << 20;
/** Most tokens of a vocabulary, and most merges; real ones have up to 300,000. */
export const MAX_TOKENS = 4_000_000;
/** Largest id of a token: those of the Python library are u32; ids above this cannot be a row of any embedding. */
export const MAX_TOKEN_ID: number = 2 ** 31 - 1;
/** Most components (normalizers, pre-tokenizers, …) of a sequence of them, those of inner sequences included. */
export const MAX_COMPONENTS = 1000;
/** Longest regular expression, in UTF-16 units; real ones have up to 600. */
export const MAX_PATTERN_LENGTH = 10_000;
/** Deepest nesting of groups in a regular expression: parsing recurses. */
export const MAX_PATTERN_DEPTH = 100;
/** Longest word that BPE merges at once, in symbols: ranks and positions share one number of 53 bits. */
export const MAX_WORD_SYMBOLS: number = 2 ** 24 - 1;
/** Words whose tokens are remembered, and the longest of them in UTF-16 units: the Python library's. */
export const CACHED_WORDS = 10_000;
export const CACHED_WORD_LENGTH = 256;
/** Most merges: with a position, ranks fit into a number of 53 bits. */
export const MAX_MERGES: number = 2 ** 28;
