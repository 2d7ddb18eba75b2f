/** What several turns of one contestant gave, in seconds per call. */
export interface Timing {
  readonly best: number;
  readonly median: number;
  /** (slowest − best) / best: how much the neighbours disturbed. */
  readonly spread: number;
  readonly rounds: number;
}

/** @throws RangeError without any time, or with one that is no positive number */
export function summarise(times: readonly number[]): Timing {
  if (times.length === 0 || times.some((t) => !Number.isFinite(t) || t <= 0))
    throw new RangeError(`times must be positive numbers, got [${times.join(", ")}]`);
  const sorted = times.toSorted((a, b) => a - b);
  const best = sorted[0]!;
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { best, median, spread: (sorted.at(-1)! - best) / best, rounds: sorted.length };
}
