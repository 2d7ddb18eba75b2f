import { Order, rank, rank4 } from "../order.wasm";

@unmanaged
class TopKArgs extends Order {
  /** Rows of n elements of 4 bytes, by which they are ordered. */
  x: usize;
  n: i32;
  k: i32;
  /** The same elements as they are stored, and their bytes. */
  source: usize;
  width: i32;
  values: usize;
  /** i32 */
  indices: usize;
}

/** Element i of a row comes after element j. */
// @ts-ignore: decorator
@inline
function after(args: TopKArgs, row: usize, i: i32, j: i32): bool {
  const a = rank(args, row + (<usize>i << 2)), b = rank(args, row + (<usize>j << 2));
  return a < b || (a == b && i > j);
}

/** Puts the entry at `at` in its place of a heap of indices with the last in order at its root. */
function sift(args: TopKArgs, row: usize, heap: usize, at: i32, size: i32): void {
  const index = load<i32>(heap + (<usize>at << 2));
  for (;;) {
    let child = 2 * at + 1;
    if (child >= size) break;
    if (child + 1 < size && after(args, row, load<i32>(heap + (<usize>child << 2), 4), load<i32>(heap + (<usize>child << 2)))) child++;
    const below = load<i32>(heap + (<usize>child << 2));
    if (!after(args, row, below, index)) break;
    store<i32>(heap + (<usize>at << 2), below);
    at = child;
  }
  store<i32>(heap + (<usize>at << 2), index);
}

/** The k first elements in order of each row, in one pass with a heap of the best so far, of which only those that enter cost anything. An item is a row. */
export function topK(args: TopKArgs, start: i32, end: i32): void {
  const n = args.n, k = args.k, width = args.width;
  for (let item = start; item < end; item++) {
    const row = args.x + (<usize>item * n << 2);
    const heap = args.indices + (<usize>item * k << 2);
    for (let i = 0; i < k; i++) store<i32>(heap + (<usize>i << 2), i);
    for (let i = (k >> 1) - 1; i >= 0; i--) sift(args, row, heap, i, k);
    let least = rank(args, row + (<usize>load<i32>(heap) << 2));
    for (let i = k; i < n; i++) {
      while (i + 4 <= n && !v128.any_true(i32x4.gt_s(rank4(args, v128.load(row + (<usize>i << 2))), i32x4.splat(least)))) i += 4;
      if (i == n) break;
      if (rank(args, row + (<usize>i << 2)) <= least) continue;
      store<i32>(heap, i);
      sift(args, row, heap, 0, k);
      least = rank(args, row + (<usize>load<i32>(heap) << 2));
    }
    for (let size = k - 1; size > 0; size--) {
      const last = load<i32>(heap);
      store<i32>(heap, load<i32>(heap + (<usize>size << 2)));
      store<i32>(heap + (<usize>size << 2), last);
      sift(args, row, heap, 0, size);
    }
    const from = args.source + <usize>item * n * width, to = args.values + <usize>item * k * width;
    for (let i = 0; i < k; i++) memory.copy(to + i * width, from + <usize>load<i32>(heap + (<usize>i << 2)) * width, width);
  }
}
