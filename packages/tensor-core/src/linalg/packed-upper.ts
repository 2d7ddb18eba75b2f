/** Numbers in the upper half of an [n, n] matrix, its diagonal included. */
export const upperSize = (n: number): number => (n * (n + 1)) / 2;

/** Where row `i` of an upper half that is stored row after row would begin if it had all columns: element [i, j], j ≥ i, lies `j` behind. */
export const upperRow = (n: number, i: number): number => (i * (2 * n - i - 1)) / 2;
