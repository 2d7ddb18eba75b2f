/** Words behind those of the loop: x and the distance of its lines, y and of its lines (bytes), columns and rows of the matrix. */
export const DOT_WORDS = ["x", "xLine", "y", "yLine", "columns", "rows"] as const;

/** Rows of the matrix that are worked on together, for so many lines of x: as many as leave sums and lines in registers. */
export const rowsTogether = (lines: number): number => (lines === 1 ? 4 : 2);
