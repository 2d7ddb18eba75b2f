/** Words behind those of the loop: x and the distance of its lines, y and of its lines (bytes), columns and rows of the matrix. */
export const DOT_WORDS = ["x", "xLine", "y", "yLine", "columns", "rows"] as const;

/** Rows of the matrix that are worked on together: one for each lane of what they have in common. */
export const ROWS_OF_ITEM = 4;

/** And where neighbours in a column are. */
export const ROWS_ACROSS = 32;

/** Lines that are done at once. */
export const MOST_LINES = 8;

/** The longest rows that are done so: of the lines that go with them, sums and integers lie in scratch memory. */
export const longestRow = (lines: number): number => (lines <= MOST_LINES / 2 ? 1 << 15 : 1 << 14);
