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
const MEMORY_GOAL = 256 * 2 ** 20;

export const mergeSuite: Suite = {
  name: "merge",
  summary: "weft merge of a LoRA adapter into a bf16 checkpoint of 1.1 B parameters, file to file, against PEFT and a copy of the files",
  async run(context) {
    const layers = context.quick ? 1 : LAYERS;
    const data = await checkpoint(layers, context);
    const job = {
      ...data,
      weft: join(context.root, "apps/cli/dist/weft.js"),
      out: join(context.folder, "merge-out"),
      case: `Llama of ${layers} blocks, bf16, r 16`,
    };
    await compareSpeed(job, context);
    await compareOutputs(job, context);
    await killAndResume(job, context);
    rmSync(job.out, { recursive: true, force: true });
  },
};

/** The synthetic checkpoint and adapter, made once. */
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

async function compareSpeed(job: MergeJob, context: BenchContext): Promise<void> {
  const python = await context.python();
  const program = python?.versions["peft"] && python.versions["transformers"] ? python.program : undefined;
  if (!program) context.note("no Python with torch, transformers and peft: PEFT's merge is left out");
  const runs: Record<string, () => Promise<{ seconds: number; peakBytes: number }>> = {
    "file copy": async () => ({ seconds: timeCopy(job.base, `${job.out}-copy`), peakBytes: 0 }),
  };
  const jobs = availableParallelism() > 1 ? [1, 2] : [1];
  for (const count of jobs) runs[`weft ${count} ${count === 1 ? "job" : "jobs"}`] = () => mergeOnce(job, ["--jobs", String(count)]);
  let compared = false;
  if (program) {
    for (const count of jobs) {
      runs[`PEFT ${count} ${count === 1 ? "thread" : "threads"}`] = async () => {
        const out = `${job.out}-peft`;
        const result = assertDone(
          "PEFT",
          await runProcess(program, [join(context.root, "apps/bench/scripts/merge_peft.py"), job.base, job.adapter, out, String(count)]),
        );
        // Once, with the last output of weft, which is still there.
        if (!compared) await compareWithPeft(job, out, context);
        compared = true;
        rmSync(out, { recursive: true });
        return result;
      };
    }
  }
  const results = new Map(Object.keys(runs).map((name) => [name, [] as { seconds: number; peakBytes: number }[]]));
  // The files are in the page cache from here on, for all alike.
  await runs["file copy"]!();
  for (let round = 0; round < Math.max(context.quick ? 1 : 3, Math.min(context.rounds, 3)); round++) {
    for (const [name, run] of Object.entries(runs)) {
      results.get(name)!.push(await run());
      context.note(`round ${round + 1}: ${name} ${results.get(name)!.at(-1)!.seconds.toFixed(2)} s`);
    }
  }
  report(job, results, context);
}

function report(
  job: MergeJob,
  results: ReadonlyMap<string, readonly { readonly seconds: number; readonly peakBytes: number }[]>,
  context: BenchContext,
): void {
  const timing = new Map([...results].map(([name, list]) => [name, summarise(list.map((r) => r.seconds))]));
  const peak = (name: string): number => Math.max(...results.get(name)!.map((r) => r.peakBytes));
  for (const [name, { best, spread, rounds }] of timing) {
    const common = { suite: "merge", case: `${job.case}, ${name}`, spread, rounds };
    const wall = { ...common, metric: "wall time", value: best, unit: "s" };
    if (!name.startsWith("weft")) context.emit({ ...wall, anchor: null, ratio: null });
    else {
      const peft = `PEFT ${name.includes("1 job") ? "1 thread" : "2 threads"}`;
      if (timing.has(peft))
        context.emit({
          ...wall,
          anchor: peft,
          ratio: timing.get(peft)!.best / best,
          goal: "ratio ≥ 8",
          met: timing.get(peft)!.best / best >= 8,
        });
      const copy = timing.get("file copy")!.best / best;
      context.emit({ ...wall, anchor: "file copy", ratio: copy, goal: "at most 3 × a copy", met: copy >= 1 / 3 });
    }
    if (peak(name) === 0) continue;
    const memory = { ...common, metric: "peak memory", value: peak(name) / 2 ** 20, unit: "MiB", anchor: null, ratio: null };
    context.emit(name.startsWith("weft") ? { ...memory, goal: "≤ 256 MiB", met: peak(name) <= MEMORY_GOAL } : memory);
  }
}

/** Whether every tensor that weft wrote is PEFT's, bit for bit. */
async function compareWithPeft(job: MergeJob, peft: string, context: BenchContext): Promise<void> {
  const { status, stdout } = await runProcess(process.execPath, [job.weft, "diff", job.out, peft]);
  if (status !== 0) context.note(stdout.slice(0, 2000));
  context.emit({
    suite: "merge",
    case: `${job.case}, weft's tensors as PEFT's`,
    metric: "equal bytes",
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
