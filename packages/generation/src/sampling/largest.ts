/**
 * The places of the `count` largest of a row, the largest first; of equal ones the earlier first. Keeps a heap of `count` whose root is the least: almost all of a
 * row is only compared with it.
 */
export function largest(row: Float32Array, count: number): Int32Array {
  const size = Math.min(count, row.length);
  const heap = new Int32Array(size);
  /** Whether place a comes after place b in the order of the result. */
  const after = (a: number, b: number): boolean => row[a]! < row[b]! || (row[a] === row[b] && a > b);
  const sink = (from: number): void => {
    const moved = heap[from]!;
    let at = from;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      if (child + 1 < size && after(heap[child + 1]!, heap[child]!)) child++;
      if (!after(heap[child]!, moved)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = moved;
  };
  for (let i = 0; i < size; i++) heap[i] = i;
  for (let i = (size >> 1) - 1; i >= 0; i--) sink(i);
  // What comes later has to be larger than the least.
  let least = size > 0 ? row[heap[0]!]! : Infinity;
  for (let i = size; i < row.length; i++) {
    if (!(row[i]! > least)) continue;
    heap[0] = i;
    sink(0);
    least = row[heap[0]!]!;
  }
  return heap.sort((a, b) => (after(a, b) ? 1 : -1));
}
