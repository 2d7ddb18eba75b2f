import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { BenchContext, Suite } from "../../context.js";
import { assertDone, type ProcessResult, runProcess } from "../../process.js";
import { summarise } from "../../statistics.js";
import { hashFolder } from "../merge/files.js";
import { checkpoint } from "../merge/merge.js";

/** Blocks of the synthetic checkpoint: 22 make 1.1 B parameters, 154 linear layers. */
const LAYERS = 22;
const RANK = 32;
const MEMORY_GOAL = 512 * 2 ** 20;

/** One extraction: its cost, and the mean share of ‖ΔW‖ that its modules lose. */
interface Extraction extends ProcessResult {
  readonly residual: number;
}

export const extractSuite: Suite = {
  name: "extract",
  summary: "weft extract of a rank-32 adapter from a tuned bf16 checkpoint of 1.1 B parameters, against torch.svd_lowrank",
  async run(context) {
    const layers = context.quick ? 1 : LAYERS;
    const { base } = await checkpoint(layers, context);
    const tuned = await tunedOf(base, context);
    const runs = await candidates(base, tuned, context);
    const results = new Map(Object.keys(runs).map((name) => [name, [] as Extraction[]]));
    // The files are in the page cache from here on, for all alike.
    for (const folder of [base, tuned]) hashFolder(folder);
    for (let round = 0; round < (context.quick ? 1 : Math.min(context.rounds, 3)); round++)
      for (const [name, run] of Object.entries(runs)) {
        results.get(name)!.push(await run());
        context.note(`round ${round + 1}: ${name} ${results.get(name)!.at(-1)!.seconds.toFixed(1)} s`);
      }
    report(`Llama of ${layers} blocks, bf16, r ${RANK}`, results, context);
  },
};

async function tunedOf(base: string, { root, note }: BenchContext): Promise<string> {
  const tuned = join(base, "../tuned");
  const done = join(tuned, "complete");
  if (!existsSync(done)) {
    note(`writing a tuned checkpoint to ${tuned} …`);
    assertDone(
      "make-tuned-extract",
      await runProcess(process.execPath, [join(root, "apps/bench/scripts/make-tuned-extract.mjs"), base, tuned]),
    );
    writeFileSync(done, "");
  }
  return tuned;
}

async function candidates(base: string, tuned: string, context: BenchContext): Promise<Record<string, () => Promise<Extraction>>> {
  const { root, folder } = context;
  const runs: Record<string, () => Promise<Extraction>> = {};
  const jobs = availableParallelism() > 1 ? [1, 2] : [1];
  const out = join(folder, "extract-out");
  for (const count of jobs)
    runs[`weft ${count} ${count === 1 ? "job" : "jobs"}`] = async () => {
      rmSync(out, { recursive: true, force: true });
      const file = join(folder, "extract-report.json");
      const args = [
        "extract",
        tuned,
        "--base",
        base,
        "--rank",
        String(RANK),
        "-o",
        out,
        "--quiet",
        "--jobs",
        String(count),
        "--report",
        file,
      ];
      const result = assertDone("weft extract", await runProcess(process.execPath, [join(root, "apps/cli/dist/weft.js"), ...args]));
      const { modules } = JSON.parse(readFileSync(file, "utf8")) as { modules: { residual: number }[] };
      rmSync(out, { recursive: true });
      return { ...result, residual: modules.reduce((sum, { residual }) => sum + residual, 0) / modules.length };
    };
  const python = await context.python();
  if (!python) context.note("no Python with torch: svd_lowrank is left out");
  for (const count of python ? jobs : [])
    runs[`torch ${count} ${count === 1 ? "thread" : "threads"}`] = async () => {
      const args = [join(root, "apps/bench/scripts/extract_torch.py"), base, tuned, `${out}-torch`, String(RANK), String(count)];
      const result = assertDone("torch.svd_lowrank", await runProcess(python!.program, args));
      rmSync(`${out}-torch`, { recursive: true });
      return { ...result, ...(JSON.parse(result.stdout) as { residual: number }) };
    };
  return runs;
}

function report(what: string, results: ReadonlyMap<string, readonly Extraction[]>, context: BenchContext): void {
  for (const [name, list] of results) {
    const { best, spread, rounds } = summarise(list.map(({ seconds }) => seconds));
    const common = { suite: "extract", case: `${what}, ${name}`, spread, rounds };
    const weft = name.startsWith("weft");
    const anchor = weft ? `torch ${name.includes("1 job") ? "1 thread" : "2 threads"}` : undefined;
    const peer = anchor === undefined ? undefined : results.get(anchor);
    const theirs = peer && Math.min(...peer.map(({ seconds }) => seconds));
    context.emit({
      ...common,
      metric: "wall time",
      value: best,
      unit: "s",
      anchor: peer ? anchor! : null,
      ratio: theirs ? theirs / best : null,
    });
    const peak = Math.max(...list.map(({ peakBytes }) => peakBytes));
    const memory = { ...common, metric: "peak memory", value: peak / 2 ** 20, unit: "MiB", anchor: null, ratio: null };
    context.emit(weft ? { ...memory, goal: "≤ 512 MiB", met: peak <= MEMORY_GOAL } : memory);
    const residual = list[0]!.residual;
    context.emit({
      ...common,
      metric: "share of ‖ΔW‖ lost",
      value: residual,
      unit: "of 1",
      anchor: peer ? anchor! : null,
      ratio: peer ? peer[0]!.residual / residual : null,
    });
  }
}
