import type { BenchRecord } from "./record.js";

/** A ratio that is worse than it was. */
export interface Regression {
  readonly record: BenchRecord;
  /** The ratio of the earlier run. */
  readonly was: number;
}

/** How a run stands to an earlier one. */
export interface Comparison {
  /** Ratios that both runs have. */
  readonly compared: number;
  readonly regressions: readonly Regression[];
  /** Ratios of the suites measured now that the earlier run has and this one has not. */
  readonly missing: readonly BenchRecord[];
}

const key = ({ suite, case: name, metric, anchor }: BenchRecord): string => JSON.stringify([suite, name, metric, anchor]);

/**
 * Compares ratios, never times: both sides of a ratio were measured in one run, so that another machine or a busy one changes it little.
 * @param tolerance share of the earlier ratio that may be lost
 */
export function compareRatios(before: readonly BenchRecord[], now: readonly BenchRecord[], tolerance: number): Comparison {
  const earlier = new Map(before.flatMap((record) => (record.ratio === null ? [] : [[key(record), record] as const])));
  const found = now.filter((record) => record.ratio !== null && earlier.has(key(record)));
  const regressions = found
    .map((record) => ({ record, was: earlier.get(key(record))!.ratio! }))
    .filter(({ record, was }) => record.ratio! < was * (1 - tolerance));
  const measured = new Set(now.map(key));
  const suites = new Set(now.map(({ suite }) => suite));
  const missing = [...earlier.values()].filter((record) => suites.has(record.suite) && !measured.has(key(record)));
  return { compared: found.length, regressions, missing };
}

const nameOf = ({ suite, case: one, metric, anchor }: BenchRecord): string => `${suite}/${one}, ${metric} against ${anchor!}`;

/** What is said of a comparison, a line each. */
export function comparisonLines({ compared, regressions, missing }: Comparison): readonly string[] {
  return [
    `${compared} ratios compared with the last report: ${regressions.length} worse, ${missing.length} not measured this time`,
    ...regressions.map(({ record, was }) => `worse: ${nameOf(record)}: ${was.toPrecision(3)} → ${record.ratio!.toPrecision(3)}`),
    ...missing.map((record) => `not measured: ${nameOf(record)}`),
  ];
}
