/** Words behind those of the loop: x and the distance of its lines, y and of its lines (bytes), columns and rows of the matrix. */
export const DOT_WORDS = ["x", "xLine", "y", "yLine", "columns", "rows"] as const;

/** Rows of the matrix that are worked on together: one for each lane of what they have in common. */
export const ROWS_OF_ITEM = 4;

/** The longest rows that are done so, with at most four lines: sums of these, and x as integers, lie in scratch memory. */
export const LONGEST_ROW: number = 1 << 15;
