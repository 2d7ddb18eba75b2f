import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { BenchContext, Suite } from "../../context.js";
import { assertDone, runProcess } from "../../process.js";
import { summarise } from "../../statistics.js";
import { hashFolder, sameHashes, timeCopy } from "./files.js";
import { type MergeJob, mergeOnce } from "./job.js";
import { killAndResume } from "./kill.js";

/** Blocks of the synthetic checkpoint: 22 make 1.1 B parameters, 2.2 GB. */
const LAYERS = 22;
const JOBS = Math.min(2, availableParallelism());

interface Method {
  readonly name: string;
  /** How many times as fast as PEFT. */
  readonly goal: number;
  /** At most; a turn of PEFT takes half a minute. */
  readonly rounds: number;
  /** How many times as long as a copy of the files a merge may take, and how much memory. */
  readonly most?: { readonly copies: number; readonly mebibytes: number };
  /** How far weft's bf16 values may lie from PEFT's, which rounds between its steps; nothing if they are the same bytes. */
  readonly atol?: number;
}
const METHODS: readonly Method[] = [
  { name: "LoRA", goal: 9, rounds: 3, most: { copies: 1.5, mebibytes: 128 } },
  { name: "DoRA", goal: 5, rounds: 1, atol: 1e-3 },
  { name: "LoKr", goal: 5, rounds: 1, atol: 1e-3 },
  { name: "OFT", goal: 5, rounds: 1, atol: 1e-3 },
];

export const mergeSuite: Suite = {
  name: "merge",
  summary:
    "weft merge into a bf16 checkpoint of 1.1 B parameters, file to file, of LoRA, DoRA, LoKr and OFT, against PEFT and a copy of the files",
  async run(context) {
    const layers = context.quick ? 1 : LAYERS;
    const { base, adapter } = await checkpoint(layers, context);
    const peft = await peftProgram(context);
    const out = join(context.folder, "merge-out");
    const asked = (name: string): boolean => name.includes(context.only);
    const jobOf = (name: string): MergeJob => ({
      base,
      adapter: name === "LoRA" ? adapter : join(base, "..", name),
      weft: join(context.root, "apps/cli/dist/weft.js"),
      out,
      case: `Llama of ${layers} blocks, bf16, ${name}`,
    });
    const methods = METHODS.filter(({ name }) => asked(name) && (name === "LoRA" || peft !== undefined));
    if (peft && methods.some(({ name }) => name !== "LoRA")) await adaptersOfPeft(base, peft, context);
    for (const method of methods) await compareSpeed(jobOf(method.name), method, peft, context);
    if (asked("bytes")) await compareOutputs(jobOf("LoRA"), context);
    if (asked("killed")) await killAndResume(jobOf("LoRA"), context);
    rmSync(out, { recursive: true, force: true });
  },
};

/** The synthetic checkpoint and a LoRA adapter, made once. */
export async function checkpoint(
  layers: number,
  { root, folder, note }: BenchContext,
): Promise<{ readonly base: string; readonly adapter: string }> {
  const home = join(folder, `llama-${layers}`);
  if (!existsSync(join(home, "complete"))) {
    note(`writing a synthetic checkpoint to ${home} …`);
    mkdirSync(home, { recursive: true });
    assertDone(
      "make-synthetic-llama",
      await runProcess(process.execPath, [join(root, "apps/bench/scripts/make-synthetic-llama.mjs"), home, String(layers)]),
    );
    writeFileSync(join(home, "complete"), "");
  }
  return { base: join(home, "base"), adapter: join(home, "adapter") };
}

/** A Python with PEFT, if there is one. */
async function peftProgram(context: BenchContext): Promise<string | undefined> {
  const python = await context.python();
  if (python?.versions["peft"] && python.versions["transformers"]) return python.program;
  context.note("no Python with torch, transformers and peft: its merge is left out, and so are the methods whose adapters it makes");
  return undefined;
}

/** Adapters of the other methods beside the base, made once. */
async function adaptersOfPeft(base: string, program: string, { root, note }: BenchContext): Promise<void> {
  const done = join(base, "../adapters-complete");
  if (!existsSync(done)) {
    note("PEFT writes adapters of the other methods …");
    assertDone("make_adapters", await runProcess(program, [join(root, "apps/bench/scripts/make_adapters.py"), base, join(base, "..")]));
    writeFileSync(done, "");
  }
}

type Run = () => Promise<{ readonly seconds: number; readonly peakBytes: number }>;

async function compareSpeed(job: MergeJob, method: Method, program: string | undefined, context: BenchContext): Promise<void> {
  const runs: Record<string, Run> = {
    "file copy": async () => ({ seconds: timeCopy(job.base, `${job.out}-copy`), peakBytes: 0 }),
    weft: () => mergeOnce(job, ["--jobs", String(JOBS)]),
  };
  let compared = false;
  if (program) {
    runs["PEFT"] = async () => {
      const out = `${job.out}-peft`;
      const result = assertDone(
        "PEFT",
        await runProcess(program, [join(context.root, "apps/bench/scripts/merge_peft.py"), job.base, job.adapter, out, String(JOBS)]),
      );
      // Once, with the last output of weft, which is still there.
      if (!compared) await compareWithPeft(job, out, method, context);
      compared = true;
      rmSync(out, { recursive: true });
      return result;
    };
  }
  const results = new Map(Object.keys(runs).map((name) => [name, [] as Awaited<ReturnType<Run>>[]]));
  // The files are in the page cache from here on, for all alike.
  await runs["file copy"]!();
  const rounds = context.quick ? 1 : Math.min(context.rounds, method.rounds);
  for (let round = 0; round < rounds; round++) {
    for (const [name, run] of Object.entries(runs)) {
      results.get(name)!.push(await run());
      context.note(`${method.name}, round ${round + 1}: ${name} ${results.get(name)!.at(-1)!.seconds.toFixed(2)} s`);
    }
  }
  report(job, method, results, context);
}

function report(
  job: MergeJob,
  { goal, most }: Method,
  results: ReadonlyMap<string, readonly { readonly seconds: number; readonly peakBytes: number }[]>,
  context: BenchContext,
): void {
  const timing = new Map([...results].map(([name, list]) => [name, summarise(list.map((r) => r.seconds))]));
  const of: Readonly<Record<string, string>> = { "file copy": "", weft: ` ${JOBS} jobs`, PEFT: ` ${JOBS} threads` };
  for (const [name, { best, spread, rounds }] of timing) {
    const common = { suite: "merge", case: `${job.case}, ${name}${of[name]}`, spread, rounds };
    const wall = { ...common, metric: "wall time", value: best, unit: "s" };
    if (name !== "weft") context.emit({ ...wall, anchor: null, ratio: null });
    else {
      const peft = timing.get("PEFT");
      if (peft)
        context.emit({
          ...wall,
          anchor: `PEFT${of["PEFT"]}`,
          ratio: peft.best / best,
          goal: `ratio ≥ ${goal}`,
          met: peft.best / best >= goal,
        });
      const copy = timing.get("file copy")!.best / best;
      const goalOfCopy = most && { goal: `at most ${most.copies} × a copy`, met: copy >= 1 / most.copies };
      context.emit({ ...wall, anchor: "file copy", ratio: copy, ...goalOfCopy });
    }
    const peak = Math.max(...results.get(name)!.map((r) => r.peakBytes)) / 2 ** 20;
    if (peak === 0) continue;
    const goalOfMemory = name === "weft" && most && { goal: `≤ ${most.mebibytes} MiB`, met: peak <= most.mebibytes };
    context.emit({ ...common, metric: "peak memory", value: peak, unit: "MiB", anchor: null, ratio: null, ...goalOfMemory });
  }
}

/** Whether every tensor that weft wrote is PEFT's. */
async function compareWithPeft(job: MergeJob, peft: string, { atol }: Method, context: BenchContext): Promise<void> {
  const within = atol === undefined ? [] : ["--atol", String(atol)];
  const { status, stdout } = await runProcess(process.execPath, [job.weft, "diff", job.out, peft, ...within]);
  if (status !== 0) context.note(stdout.slice(0, 2000));
  context.emit({
    suite: "merge",
    case: `${job.case}, weft's tensors as PEFT's`,
    metric: atol === undefined ? "equal bytes" : `within ${atol}`,
    value: status === 0 ? 1 : 0,
    unit: "",
    anchor: null,
    ratio: null,
    goal: "1",
    met: status === 0,
  });
}

/** The same bytes whatever the number of threads and the size of tiles. */
async function compareOutputs(job: MergeJob, context: BenchContext): Promise<void> {
  const variants = [
    ["--jobs", "1"],
    ["--jobs", "2"],
    ["--jobs", "1", "--max-memory", "130MB"],
    ["--jobs", "2", "--max-memory", "1GB"],
  ];
  let first: Map<string, string> | undefined;
  for (const options of variants) {
    await mergeOnce(job, options);
    const hashes = hashFolder(job.out);
    first ??= hashes;
    const same = sameHashes(first, hashes);
    if (hashes !== first)
      context.emit({
        suite: "merge",
        case: `${job.case}, ${options.join(" ")} as with ${variants[0]!.join(" ")}`,
        metric: "equal bytes",
        value: same ? 1 : 0,
        unit: "",
        anchor: null,
        ratio: null,
        goal: "1",
        met: same,
      });
  }
}
