import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { ratioPlot } from "./plot.js";
import { type BenchRecord, checkRecord } from "./record.js";
import { markdownReport } from "./report.js";

/** Where the records of a report lie: beside it. */
export const recordsOf = (report: string): string => report.replace(/(\.md)?$/u, ".json");

/**
 * Records of an earlier run.
 * @throws TypeError for a file that is no list of records
 */
export function readRecords(file: string): readonly BenchRecord[] {
  const records: unknown = JSON.parse(readFileSync(file, "utf8"));
  if (!Array.isArray(records)) throw new TypeError(`${file} is no list of bench records`);
  return records.map((record) => checkRecord(record as BenchRecord));
}

/** Records of the last report, or none: where there is no report, nothing is worse than it. */
export const lastRecords = (report: string): readonly BenchRecord[] =>
  existsSync(recordsOf(report)) ? readRecords(recordsOf(report)) : [];

/**
 * Writes a report: Markdown, its records as JSON, and a plot for each suite in a folder of its name. Suites that were not measured this time stay as the last report
 * has them, each with its own machine and versions.
 */
export function writeReport(report: string, measured: readonly BenchRecord[], last: readonly BenchRecord[]): void {
  const suites = new Set(measured.map(({ suite }) => suite));
  const records = [...last.filter(({ suite }) => !suites.has(suite)), ...measured];
  const plots = basename(report).replace(/\.md$/u, "") + "-plots";
  const drawn = new Map<string, string>();
  for (const suite of new Set(records.map((record) => record.suite))) {
    const svg = ratioPlot(suite, records);
    if (svg === undefined) continue;
    const name = `${plots}/${suite}.svg`;
    mkdirSync(join(dirname(report), plots), { recursive: true });
    writeFileSync(join(dirname(report), name), svg);
    drawn.set(suite, name);
  }
  writeFileSync(recordsOf(report), `${JSON.stringify(records, undefined, 2)}\n`);
  writeFileSync(report, markdownReport(records, drawn));
}
