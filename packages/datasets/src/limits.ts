/** Longest row of a file of data, in bytes: what reading needs of memory is in proportion to it, not to the file. */
export const MAX_ROW_BYTES: number = 64 << 20;
/** Most columns of a CSV file. */
export const MAX_COLUMNS = 10_000;
