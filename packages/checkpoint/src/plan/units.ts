import type { OutputPlan } from "./layout.js";
import type { TensorJob } from "./tensor-job.js";

/** Files that a tensor is computed from. */
function* filesOf({ source, weight, steps, patches }: TensorJob): Iterable<string> {
  const stored = [
    source,
    ...(weight ? [weight] : []),
    ...steps.flatMap(({ params }) => Object.values(params)),
    ...patches.map(({ rows }) => rows),
  ];
  for (const { file, values } of stored) if (!values) yield file;
}

/** The files that an output file is computed from. @param shard index of the output file */
export const filesRead = ({ items }: OutputPlan, shard: number): ReadonlySet<string> =>
  new Set(items.filter((job) => job.shard === shard).flatMap((job) => [...filesOf(job)]));

/**
 * The units that one of several processes works on: consecutive ones, with about the same number of bytes for each process. Every unit is one's.
 * @param bytes of each unit
 * @param index of the process, from 0
 * @param of number of processes
 */
export function shareOf(bytes: readonly number[], index: number, of: number): number[] {
  // An empty unit, too, lies somewhere.
  const sizes = bytes.map((size) => size + 1);
  const total = sizes.reduce((a, b) => a + b, 0);
  let before = 0;
  return sizes.flatMap((size, unit) => {
    const middle = before + size / 2;
    before += size;
    return Math.floor((middle * of) / total) === index ? [unit] : [];
  });
}
