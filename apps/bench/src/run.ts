import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { BenchContext, Suite } from "./context.js";
import { compareRatios, comparisonLines } from "./compare.js";
import { baseVersions, thisMachine } from "./machine.js";
import { type BenchOptions, parseOptions, USAGE } from "./options.js";
import { installPeers, type Peers } from "./peers/install.js";
import { findPython, type Python, startPython } from "./peers/python.js";
import { type BenchRecord, checkRecord } from "./record.js";
import { recordLine } from "./report.js";
import { adaptersSuite } from "./suites/adapters/adapters.js";
import { convertSuite } from "./suites/convert-dtype/convert-dtype.js";
import { coreSuite } from "./suites/core/core.js";
import { extractSuite } from "./suites/extract/extract.js";
import { loraSuite } from "./suites/lora/lora.js";
import { matmulSuite } from "./suites/matmul/matmul.js";
import { mergeSuite } from "./suites/merge/merge.js";
import { onnxSuite } from "./suites/onnx/onnx.js";
import { quantizeSuite } from "./suites/quantize/quantize.js";
import { quantizeModelSuite } from "./suites/quantize-model/quantize-model.js";
import { webgpuSuite } from "./suites/webgpu/webgpu.js";
import { trainSuite } from "./suites/train/train.js";
import { tokenizersSuite } from "./suites/tokenizers/tokenizers.js";
import { generateSuite } from "./suites/generate/generate.js";
import { samplingSuite } from "./suites/sampling/sampling.js";
import { startupSuite } from "./suites/startup/startup.js";
import { lastRecords, readRecords, writeReport } from "./write-report.js";

const SUITES: readonly Suite[] = [
  coreSuite,
  matmulSuite,
  loraSuite,
  adaptersSuite,
  mergeSuite,
  extractSuite,
  convertSuite,
  quantizeSuite,
  quantizeModelSuite,
  tokenizersSuite,
  generateSuite,
  trainSuite,
  samplingSuite,
  startupSuite,
  onnxSuite,
  webgpuSuite,
];
const bench = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const root = resolve(bench, "../..");

const note = (text: string): void => void process.stderr.write(`${text}\n`);

/** The bench as a program. @returns its exit code: 0 done, 1 a suite failed or a ratio is worse than in the last report, 2 wrong usage */
export async function run(args: readonly string[]): Promise<number> {
  let options: BenchOptions;
  let before: readonly BenchRecord[] | undefined;
  try {
    options = parseOptions(args, bench);
    // Read now: the report that is written may be the one that is compared with.
    if (options.against !== undefined) before = readRecords(options.against);
    else if (options.report !== undefined) before = lastRecords(options.report);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${USAGE}`);
    return 2;
  }
  const known = SUITES.map(({ name }) => name);
  const unknown = options.suites.filter((name) => name !== "all" && !known.includes(name));
  if (options.suites.length === 0 || unknown.length > 0) {
    process.stderr.write(
      `${unknown.length > 0 ? `unknown suite ${unknown.join(", ")}\n\n` : ""}${USAGE}\nsuites:\n${SUITES.map(({ name, summary }) => `  ${name.padEnd(15)} ${summary}\n`).join("")}`,
    );
    return 2;
  }

  const records: BenchRecord[] = [];
  const machine = thisMachine();
  const versions = baseVersions(root);
  let peers: Promise<Peers | undefined> | undefined;
  let python: Promise<Python | undefined> | undefined;
  let judgesQuick = false;
  const context: BenchContext = {
    root,
    folder: options.folder,
    cpu: machine.cpu,
    rounds: options.rounds,
    quick: options.quick,
    tune: options.tune,
    only: options.only,
    peers: () => (peers ??= options.peers ? installPeers(bench, note) : Promise.resolve(undefined)),
    python: () => (python ??= start(options, versions)),
    emit({ goal, met, ...finding }) {
      // Goals of speed are not for the sizes of a quick run, but where a suite says so; those of equality hold at any size.
      const judged = goal !== undefined && met !== undefined && (!options.quick || judgesQuick || finding.unit === "") ? { goal, met } : {};
      const record = checkRecord({ ...finding, ...judged, machine, versions: { ...versions } });
      records.push(record);
      process.stdout.write(`${recordLine(record, records.at(-2))}\n`);
    },
    note,
    version: (name, version) => void (versions[name] = version),
  };

  mkdirSync(options.folder, { recursive: true });
  note(`${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, Node ${versions["node"]}`);
  let failed = false;
  for (const suite of SUITES.filter(({ name }) => options.suites.includes(name) || options.suites.includes("all"))) {
    process.stdout.write(`\n== ${suite.name}\n`);
    judgesQuick = suite.judgesQuick ?? false;
    try {
      await suite.run(context);
    } catch (error) {
      failed = true;
      note(`${suite.name} failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    }
  }
  (await python)?.stop();
  if (options.json) writeFileSync(options.json, `${JSON.stringify(records, undefined, 2)}\n`);
  if (options.report) writeReport(options.report, records, lastRecords(options.report));
  const comparison = before && compareRatios(before, records, options.tolerance);
  if (comparison) process.stdout.write(`\n${comparisonLines(comparison).join("\n")}\n`);
  return failed || (comparison?.regressions.length ?? 0) > 0 ? 1 : 0;
}

async function start(options: BenchOptions, versions: Record<string, string>): Promise<Python | undefined> {
  const program = findPython(root, options.python);
  if (!program) {
    note("no Python with torch was found: its columns are left out (--python PATH names one)");
    return undefined;
  }
  const found = await startPython(program, bench);
  Object.assign(versions, found.versions);
  return found;
}
