import { NumberQueue } from "./number-queue.js";
import type { PairTable } from "./pair-table.js";

/** Merges of BPE: ranks by pairs of ids, and the id that each rank makes. */
export interface Merges {
  readonly ranks: PairTable;
  readonly made: ArrayLike<number>;
}

/** What stands in a word: ids, and where in it each begins and ends. */
export interface Symbols {
  readonly ids: number[];
  readonly starts: number[];
  readonly ends: number[];
}

/** A number that holds a rank and a position, ordered by rank first. */
const POSITIONS = 2 ** 24;

/**
 * Joins neighbours as long as a merge has them: the one of the lowest rank first, the leftmost of equal ones.
 * Takes time in proportion to n·log n. Words of up to 2²⁴ − 1 symbols.
 * @see tokenizers `models/bpe/word.rs` merge_all
 */
export function mergeWord({ ids, starts, ends }: Symbols, { ranks, made }: Merges): Symbols {
  const n = ids.length;
  if (n < 2) return { ids, starts, ends };
  const heap = new NumberQueue();
  const offer = (left: number, right: number): void => {
    const rank = ranks.get(ids[left]!, ids[right]!);
    if (rank >= 0) heap.push(rank * POSITIONS + left);
  };
  // Neighbours to the left and right; −1 at the ends, −2 of what was joined to its left.
  const previous: number[] = [];
  const next: number[] = [];
  for (let i = 0; i < n; i++) {
    previous.push(i - 1);
    next.push(i + 1 < n ? i + 1 : -1);
    if (i > 0) offer(i - 1, i);
  }
  for (let top = heap.pop(); top !== undefined; top = heap.pop()) {
    const at = top % POSITIONS;
    const right = next[at]!;
    // What stood there may have been joined with something else since.
    if (right < 0) continue;
    const rank = Math.floor(top / POSITIONS);
    const now = ranks.get(ids[at]!, ids[right]!);
    if (now < 0 || made[now] !== made[rank]) continue;
    ids[at] = made[rank]!;
    ends[at] = ends[right]!;
    const after = next[right]!;
    next[at] = after;
    next[right] = -2;
    if (after >= 0) previous[after] = at;
    if (previous[at]! >= 0) offer(previous[at]!, at);
    if (after >= 0) offer(at, after);
  }
  const left: Symbols = { ids: [], starts: [], ends: [] };
  for (let i = 0; i >= 0; i = next[i]!) {
    left.ids.push(ids[i]!);
    left.starts.push(starts[i]!);
    left.ends.push(ends[i]!);
  }
  return left;
}
