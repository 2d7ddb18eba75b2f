/** Points as they are drawn: x, y, and the x of values that are no number. */
export interface Points {
  readonly x: Float64Array;
  readonly y: Float64Array;
  readonly missing: readonly number[];
}

/**
 * A curve of more points than can be seen as the least and the greatest value of each column of pixels, in their order: what is drawn is the same, and no peak is lost.
 * Curves of up to `all` points stay as they are.
 */
export function reducePoints(x: Float64Array, y: Float64Array, columns: number, all = 4000): Points {
  const missing: number[] = [];
  for (let i = 0; i < y.length; i++) if (Number.isNaN(y[i])) missing.push(x[i]!);
  if (x.length <= all) return { x, y, missing };
  const [outX, outY] = [new Float64Array(2 * columns), new Float64Array(2 * columns)];
  const [from, span] = [x[0]!, x[x.length - 1]! - x[0]!];
  let count = 0;
  const put = (i: number): void => {
    outX[count] = x[i]!;
    outY[count++] = y[i]!;
  };
  for (let start = 0, column = 0; start < x.length && column < columns; column++) {
    // The last point belongs to the last column.
    const end = column === columns - 1 ? Infinity : from + (span * (column + 1)) / columns;
    let [low, high] = [-1, -1];
    let i = start;
    for (; i < x.length && x[i]! < end; i++) {
      if (Number.isNaN(y[i])) continue;
      if (low < 0 || y[i]! < y[low]!) low = i;
      if (high < 0 || y[i]! > y[high]!) high = i;
    }
    start = i;
    if (low < 0) continue;
    put(Math.min(low, high));
    if (low !== high) put(Math.max(low, high));
  }
  return { x: outX.subarray(0, count), y: outY.subarray(0, count), missing };
}
