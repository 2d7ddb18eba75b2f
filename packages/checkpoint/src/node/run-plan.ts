import { join } from "node:path";
import { writeFileAtomic } from "@weft/io-safetensors/node";
import { ConfigError, type MethodTable } from "@weft/tensor-core";
import type { OnProgress } from "../job-progress.js";
import { shareOf } from "../plan/units.js";
import { checkPlace } from "./check-output.js";
import { planResources, type ResourceOptions } from "./merge-options.js";
import { unitsOf } from "./plan-checkpoint.js";
import { checkInputs, type CheckpointPlan, readPlan } from "./plan-file.js";
import { prepareMerge, type PreparedMerge } from "./prepare.js";
import { checkReport } from "./report-file.js";
import { writeSideFiles } from "./side-files.js";
import { UnitFolder } from "./unit-folder.js";
import { writeReport } from "./write-report.js";
import { writeMerged } from "./write-merged.js";

interface PlanRunOptions {
  /** File that `planCheckpoint` wrote. */
  readonly plan: string;
  /** Folder of the output, the same for all processes. */
  readonly out: string;
  /** Loads the methods that adapters may be of, given the modules that the plan names for some of them. */
  readonly methods: (files: readonly string[]) => MethodTable | Promise<MethodTable>;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
}

/** Which share of which plan is computed, and with which resources. */
export interface RunPlanOptions extends PlanRunOptions, ResourceOptions {
  /** Which of the processes this is, from 0. */
  readonly index: number;
  /** How many processes there are. */
  readonly of: number;
}

/** What became of a process's share. */
export interface RunPlanResult {
  /** Units of this process. */
  readonly units: readonly number[];
  /** Those of them that were done before. */
  readonly resumed: number;
  readonly bytes: number;
}

/**
 * Computes one process's share of a plan. A unit is written whole or not at all, and what is done already is left: the same call goes on where a process was
 * killed. The shares of processes 0 … of-1 are all units, whatever is done for them at which time.
 * @throws ConfigError kinds `bad-plan`, `input-changed`, `plan-changed`, `exists`, `other-job`, `output-is-input`; as `mergeCheckpoint`
 */
export async function runPlan(options: RunPlanOptions): Promise<RunPlanResult> {
  const { out, signal, onProgress, index, of } = options;
  return withPlan(options, async (plan, prepared, id) => {
    const { output } = prepared;
    const units = shareOf(
      plan.units.map(({ bytes }) => bytes),
      index,
      of,
    );
    const folder = await UnitFolder.open(out, output, id, prepared.inputs);
    const todo: number[] = [];
    for (const unit of units) if (!(await folder.find(unit))) todo.push(unit);
    const bytes = todo.reduce((sum, unit) => sum + plan.units[unit]!.bytes, 0);
    const summary = { units, resumed: units.length - todo.length, bytes };
    if (todo.length === 0) return summary;
    const read = new Set(todo.flatMap((unit) => plan.units[unit]!.reads));
    await checkInputs(
      plan.inputs.filter((_, i) => read.has(i)),
      options.plan,
    );
    const finished = new Set(output.shards.keys());
    for (const unit of todo) finished.delete(unit);
    const own = { ...prepared, output: { ...output, items: output.items.filter(({ shard }) => !finished.has(shard)) } };
    const { jobs, tileBytes, plans } = await planResources(own, options, false);
    try {
      await writeMerged({
        output,
        finished,
        task: { outputs: folder.begin(todo), plans, values: prepared.values, tileBytes, allowNonFinite: plan.allowNonFinite, stats: false },
        jobs,
        signal,
        onProgress: (done) => onProgress?.({ phase: "run", done, total: bytes }),
        commit: (unit, hashes) => folder.commit(unit, hashes),
      });
    } finally {
      folder.abandon();
    }
    return summary;
  });
}

/** Which plan is ended, and what is told of it. */
export interface FinishPlanOptions extends PlanRunOptions {
  /** File for what was done to each tensor, as JSON. */
  readonly report?: string | undefined;
}

/**
 * Makes a checkpoint of the units of a plan when all are there: the files in their places, then those beside them, and the index last.
 * @throws ConfigError kind `unfinished`; as `runPlan`
 */
export async function finishPlan(options: FinishPlanOptions): Promise<{ readonly files: readonly { name: string; bytes: number }[] }> {
  const { out, report } = options;
  checkReport(report, [options.plan]);
  return withPlan(options, async (plan, prepared, id) => {
    const { output, side } = prepared;
    const folder = await UnitFolder.open(out, output, id, prepared.inputs);
    const records = await folder.finish(async (to) => {
      await writeSideFiles(side, to);
      if (output.index) await writeFileAtomic(join(to, output.index.name), output.index.text);
    });
    if (report !== undefined) {
      const digests = new Map(plan.units.map(({ file }, unit) => [file, records[unit]!.digest]));
      const results = new Map(records.flatMap(({ tensors }) => Object.entries(tensors).map(([name, sha256]) => [name, { sha256 }])));
      await writeReport(report, prepared, { onePiece: [] }, { results, digests });
    }
    return { files: plan.units.map(({ file: name, bytes }) => ({ name, bytes })) };
  });
}

/** Opens what a plan is of, and refuses to go by the plan where it is not what it was. */
async function withPlan<T>(
  { plan: file, out, methods, signal }: PlanRunOptions,
  use: (plan: CheckpointPlan, prepared: PreparedMerge, id: string) => Promise<T>,
): Promise<T> {
  const { plan, id } = readPlan(file);
  const { input, methodFiles } = plan;
  checkPlace(out, [input.base, ...input.adapters.map(({ path }) => path)]);
  const prepared = await prepareMerge(input, { methods: await methods(methodFiles), methodFiles }, signal);
  try {
    if (JSON.stringify(unitsOf(prepared.output, plan.inputs)) !== JSON.stringify(plan.units))
      throw new ConfigError(`${file}: base and adapters no longer give the files that were planned`, {
        kind: "plan-changed",
        file,
        hint: "plan again with the version of weft that runs the plan, and the inputs as they are",
      });
    return await use(plan, prepared, id);
  } finally {
    await prepared.close();
  }
}
