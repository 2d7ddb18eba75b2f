import type { BenchRecord } from "./record.js";

const number = (x: number): string =>
  Math.abs(x) >= 100 ? x.toFixed(0) : Math.abs(x) >= 1 ? x.toFixed(2) : Number(x.toPrecision(3)).toString();
const percent = (x: number): string => `${(100 * x).toFixed(0)} %`;
const withUnit = ({ value, unit }: BenchRecord): string => (unit ? `${number(value)} ${unit}` : number(value));
const comparison = ({ anchor, ratio }: BenchRecord): string => (anchor === null ? "" : `${number(ratio!)} × ${anchor}`);
const verdict = ({ goal, met }: BenchRecord): string => (goal === undefined ? "" : `${goal}: ${met ? "yes" : "no"}`);
/** Records that say the same value against several anchors. */
const sameValue = (a: BenchRecord, b: BenchRecord | undefined): boolean =>
  a.suite === b?.suite && a.case === b.case && a.metric === b.metric;

/** A record as a line of text; only its comparison if the record before it says the same value. */
export function recordLine(record: BenchRecord, before?: BenchRecord): string {
  const { metric, spread, error } = record;
  const repeated = sameValue(record, before);
  const parts = repeated ? [" ".repeat(80)] : [record.case.padEnd(52), `${metric} ${withUnit(record)}`.padEnd(26)];
  parts.push(comparison(record), record.goal === undefined ? "" : `[${verdict(record)}]`);
  if (!repeated && spread !== undefined) parts.push(`spread ${percent(spread)}`);
  if (!repeated && error !== undefined) parts.push(`error ${error.toExponential(0)}`);
  return parts.filter((p) => p !== "").join("  ");
}

/** What a value is about, by its unit. */
const kindOf = (unit: string): string =>
  unit.endsWith("/s") ? "throughput" : /^([GMk]i?)?B$|byte/u.test(unit) ? "memory" : /^(n|µ|m)?s$/u.test(unit) ? "latency" : "other";

/** How many values of each kind there are, how many are better than their anchor, and how many goals were met. */
function summary(records: readonly BenchRecord[]): string[] {
  const lines = ["| | compared | at least as good as the anchor | goals met |", "|---|---|---|---|"];
  for (const kind of ["throughput", "latency", "memory", "other"]) {
    const of = records.filter((record) => kindOf(record.unit) === kind);
    const compared = of.filter(({ ratio }) => ratio !== null);
    const judged = of.filter(({ met }) => met !== undefined);
    if (of.length > 0)
      lines.push(
        `| ${kind} | ${compared.length} | ${compared.filter(({ ratio }) => ratio! >= 1).length} | ${judged.filter(({ met }) => met).length} of ${judged.length} |`,
      );
  }
  return lines;
}

const place = ({ machine: { cpu, cores, memoryGiB, system }, versions }: BenchRecord): string =>
  `${cpu}, ${cores} cores, ${memoryGiB} GiB, ${system}; weft ${versions["weft"] ?? "?"}`;

/**
 * A report in Markdown: the machine first, then what was measured in figures, then a table per suite with a row per value.
 * @param plots files of plots by suite
 */
export function markdownReport(records: readonly BenchRecord[], plots: ReadonlyMap<string, string> = new Map()): string {
  const [first] = records;
  if (!first) return "# Bench\n\nNothing was measured.\n";
  const { cpu, cores, memoryGiB, system } = first.machine;
  const versions = Object.assign({}, ...records.filter((r) => place(r) === place(first)).map((r) => r.versions)) as Record<string, string>;
  const lines = [
    "# Bench",
    "",
    `${cpu}, ${cores} cores, ${memoryGiB} GiB, ${system}.`,
    `Versions: ${Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(", ")}.`,
    "",
    "Values are the best of several rounds in which all contestants had their turn. “2 × X” is twice as good as X in the same run.",
    "Spread is how far the slowest round lies above the best; errors are against f64.",
    "",
    ...summary(records),
  ];
  for (const suite of new Set(records.map((r) => r.suite))) {
    const rows: BenchRecord[][] = [];
    for (const record of records.filter((r) => r.suite === suite)) {
      if (sameValue(record, rows.at(-1)?.[0])) rows.at(-1)!.push(record);
      else rows.push([record]);
    }
    lines.push("", `## ${suite}`);
    const own = place(records.find((r) => r.suite === suite)!);
    if (own !== place(first)) lines.push("", `Measured by another run: ${own}.`);
    const plot = plots.get(suite);
    if (plot !== undefined) lines.push("", `![How many times better than the anchor of the same run](${plot})`);
    lines.push("", "| case | metric | value | against | spread | error | goal |", "|---|---|---|---|---|---|---|");
    for (const row of rows) {
      const [r] = row as [BenchRecord];
      const list = (of: (record: BenchRecord) => string): string =>
        row
          .map(of)
          .filter((text) => text !== "")
          .join("<br>");
      const cells = [
        r.case,
        r.metric,
        withUnit(r),
        list(comparison),
        r.spread === undefined ? "" : percent(r.spread),
        r.error === undefined ? "" : r.error.toExponential(0),
        list(verdict),
      ];
      lines.push(`| ${cells.map((c) => c.replaceAll("|", "\\|")).join(" | ")} |`);
    }
  }
  return `${lines.join("\n")}\n`;
}
