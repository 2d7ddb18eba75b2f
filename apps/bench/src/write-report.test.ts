import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { compareRatios, comparisonLines } from "./compare.js";
import { ratioPlot } from "./plot.js";
import type { BenchRecord } from "./record.js";
import { lastRecords, readRecords, recordsOf, writeReport } from "./write-report.js";

const folder = mkdtempSync(join(tmpdir(), "weft-bench-report-"));
afterAll(() => rmSync(folder, { recursive: true }));

const machine = { cpu: "Some CPU", cores: 2, memoryGiB: 8, system: "linux x64" };
const record = (suite: string, name: string, value: number, ratio: number | null, more: Partial<BenchRecord> = {}): BenchRecord => ({
  suite,
  case: name,
  metric: "speed",
  value,
  unit: "tokens/s",
  anchor: ratio === null ? null : "torch",
  ratio,
  machine,
  versions: { node: "20.0.0", weft: "abc" },
  ...more,
});
const before = [
  record("generate", "decode", 70, 2.5),
  record("generate", "prompt <128>", 400, 0.5),
  record("merge", "LoRA", 9, 1.5, { unit: "s" }),
];

test("a ratio that is worse is told; a time that is worse with its anchor's is not", () => {
  const slowMachine = before.map((one) => ({ ...one, value: one.value / 3 }));
  expect(compareRatios(before, slowMachine, 0.25)).toEqual({ compared: 3, regressions: [], missing: [] });
  const fasterButWorse = [record("generate", "decode", 140, 1.2), record("generate", "new", 1, 1)];
  const comparison = compareRatios(before, fasterButWorse, 0.25);
  expect(comparison.regressions).toEqual([{ record: fasterButWorse[0], was: 2.5 }]);
  // Suites that were not run are not missing.
  expect(comparison.missing).toEqual([before[1]]);
  expect(comparisonLines(comparison)).toEqual([
    "1 ratios compared with the last report: 1 worse, 1 not measured this time",
    "worse: generate/decode, speed against torch: 2.50 → 1.20",
    "not measured: generate/prompt <128>, speed against torch",
  ]);
  expect(compareRatios(before, fasterButWorse, 0.6).regressions).toEqual([]);
});

test("a plot has a bar for each ratio, to the side that it is on", () => {
  const svg = ratioPlot("generate", before)!;
  const bars = [...svg.matchAll(/<rect x="([\d.]+)" y="\d+" width="([\d.]+)" height="12" fill="(#\w+)">/gu)].map(([, x, w, fill]) => [
    Number(x),
    Number(w),
    fill,
  ]);
  // Two powers of two to each side: the line of equality lies at 690, and a factor of two is 85 wide.
  expect(bars).toEqual([
    [690, 112.4, "#4a8"],
    [605, 85, "#c66"],
  ]);
  expect(svg).toContain("prompt &lt;128&gt;");
  expect(ratioPlot("generate", [record("generate", "alone", 1, null)])).toBeUndefined();
});

test("a report keeps suites that were not measured again, and its records are what the next is compared with", () => {
  const report = join(folder, "report.md");
  expect(lastRecords(report)).toEqual([]);
  writeReport(report, before, []);
  const again = [
    record("merge", "LoRA", 8, 1.4, { unit: "s", machine: { ...machine, cpu: "Other CPU" }, versions: { node: "22.0.0", weft: "def" } }),
  ];
  writeReport(report, again, lastRecords(report));
  expect(readRecords(recordsOf(report))).toEqual([before[0], before[1], again[0]]);
  const text = readFileSync(report, "utf8");
  expect(text).toContain("| throughput | 2 | 1 | 0 of 0 |\n| latency | 1 | 1 | 0 of 0 |");
  expect(text).toContain("Versions: node 20.0.0, weft abc.");
  expect(text).toContain("Measured by another run: Other CPU, 2 cores, 8 GiB, linux x64; weft def.");
  for (const [, plot] of text.matchAll(/\]\((report-plots\/\w+\.svg)\)/gu))
    expect(readFileSync(join(folder, plot!), "utf8")).toMatch(/^<svg /u);
  expect(text.match(/report-plots/gu)).toHaveLength(2);
  writeFileSync(recordsOf(report), '{"a": 1}');
  expect(() => lastRecords(report)).toThrow(/no list of bench records/u);
});
