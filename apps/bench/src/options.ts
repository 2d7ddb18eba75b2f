import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

export interface BenchOptions {
  readonly suites: readonly string[];
  readonly json: string | undefined;
  readonly report: string | undefined;
  /** Records that ratios are compared with; those of the last report if it is written anew. */
  readonly against: string | undefined;
  /** Share of a ratio that may be lost against these. */
  readonly tolerance: number;
  readonly rounds: number;
  readonly quick: boolean;
  readonly tune: boolean;
  /** Part of the names of the cases to run; all if empty. */
  readonly only: string;
  readonly peers: boolean;
  readonly python: string | undefined;
  readonly folder: string;
}

export const USAGE = `usage: npm run bench -- <suite…|all> [options]

  --json FILE      write the records as a JSON list
  --report [FILE]  write a Markdown report (apps/bench/report.md if no file is given), its records and plots beside it;
                   suites that were not run stay as the last one has them, and ratios are compared with it
  --against FILE   compare ratios with these records, of --json or of a report: 1 is the exit code if one is worse
  --tolerance X    share of a ratio that may be lost before it counts as worse (0.25)
  --rounds N       rounds of turns (5)
  --quick          small sizes and short turns: to see that everything runs
  --case TEXT      only cases with this in their name, of suites whose cases can be chosen
  --tune           webgpu: find out the best tiles for this GPU first, and keep them for all programs that use weft
  --no-peers       do not install and run other JavaScript engines
  --python PATH    a Python with torch (default: WEFT_PYTHON, .venv, .cache/venv, python3)
  --dir FOLDER     where large files go (a folder of the system's temporary one)
`;

/** @throws TypeError for unknown options and values */
export function parseOptions(args: readonly string[], bench: string): BenchOptions {
  // parseArgs has no options with a value that may be left out.
  const at = args.indexOf("--report");
  const bare = at >= 0 && (args[at + 1] === undefined || args[at + 1]!.startsWith("--"));
  const { values, positionals } = parseArgs({
    args: bare ? args.toSpliced(at + 1, 0, join(bench, "report.md")) : [...args],
    allowPositionals: true,
    allowNegative: true,
    options: {
      json: { type: "string" },
      report: { type: "string" },
      against: { type: "string" },
      tolerance: { type: "string", default: "0.25" },
      rounds: { type: "string", default: "5" },
      quick: { type: "boolean", default: false },
      tune: { type: "boolean", default: false },
      case: { type: "string", default: "" },
      peers: { type: "boolean", default: true },
      python: { type: "string" },
      dir: { type: "string" },
    },
  });
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) throw new TypeError(`--rounds is "${values.rounds}", expected a positive integer`);
  const tolerance = Number(values.tolerance);
  if (!(tolerance >= 0 && tolerance < 1)) throw new TypeError(`--tolerance is "${values.tolerance}", expected a number from 0 to 1`);
  // The rest of the suite would be gone from the report.
  if (values.report !== undefined && values.case !== "") throw new TypeError("a report has whole suites: --report goes without --case");
  return {
    suites: positionals,
    json: values.json,
    report: values.report,
    against: values.against,
    tolerance,
    rounds: values.quick ? Math.min(rounds, 2) : rounds,
    quick: values.quick,
    tune: values.tune,
    only: values.case,
    peers: values.peers,
    python: values.python,
    folder: values.dir ?? join(tmpdir(), "weft-bench"),
  };
}
