import type { Machine } from "./machine.js";

/** One measured value. The first nine fields are the format that other tools read. */
export interface BenchRecord {
  readonly suite: string;
  /** What was computed, and by whom: `1024×1024·1024×1024 f32, weft 1 thread`. */
  readonly case: string;
  readonly metric: string;
  readonly value: number;
  readonly unit: string;
  /** Whom it is compared with, in the same run; null where it stands alone. */
  readonly anchor: string | null;
  /** How many times better than the anchor (speed over speed, memory over memory): above 1 is better. */
  readonly ratio: number | null;
  readonly machine: Machine;
  readonly versions: { readonly [name: string]: string };
  /** (slowest − best) / best over the rounds. */
  readonly spread?: number;
  readonly rounds?: number;
  /** Largest error against the f64 reference of the same run, relative to the largest value. */
  readonly error?: number;
  /** What the project wants of `ratio` or `value`, and whether this run had it. */
  readonly goal?: string;
  readonly met?: boolean;
}

/** A record as a suite gives it; machine and versions are the same for all. */
export type Finding = Omit<BenchRecord, "machine" | "versions">;

/** @throws TypeError naming the field that breaks the format */
export function checkRecord(record: BenchRecord): BenchRecord {
  const bad = (field: string): never => {
    throw new TypeError(`bench record ${record.suite}/${record.case}: ${field} is ${JSON.stringify(record[field as keyof BenchRecord])}`);
  };
  for (const field of ["suite", "case", "metric", "unit"] as const)
    if (typeof record[field] !== "string" || (record[field] === "" && field !== "unit")) bad(field);
  if (!Number.isFinite(record.value)) bad("value");
  if ((record.anchor === null) !== (record.ratio === null)) bad("ratio");
  if (record.ratio !== null && !(Number.isFinite(record.ratio) && record.ratio > 0)) bad("ratio");
  if ((record.goal === undefined) !== (record.met === undefined)) bad("met");
  if (typeof record.machine?.cpu !== "string") bad("machine");
  if (typeof record.versions?.["node"] !== "string") bad("versions");
  return record;
}
