import { existsSync } from "node:fs";
import { basename } from "node:path";
import { ConfigError } from "@weft/tensor-core";
import type { Resources } from "../plan/plan-memory.js";
import { checkPlace } from "./check-output.js";
import { doneAlready } from "./done-already.js";
import { fillFolder } from "./fill-folder.js";
import { type MergeJobOptions, mergeInput, planResources } from "./merge-options.js";
import { localPath, openBase } from "./open-input.js";
import { refuseAnother } from "./output-folder.js";
import { type MergeInput, prepareMerge, type PreparedMerge } from "./prepare.js";
import { checkReport } from "./report-file.js";
import { shardDigest } from "./shard-digest.js";
import { writeReport } from "./write-report.js";
import { type ShardResults, writeMerged } from "./write-merged.js";

/** What is merged, how, and where the result goes. */
export interface MergeOptions extends MergeJobOptions {
  /** Folder to write. */
  readonly out: string;
  /** Replace what is there. */
  readonly force?: boolean | undefined;
  /** Plan, and write nothing. */
  readonly dryRun?: boolean | undefined;
  /** Write NaN and infinite values instead of stopping. */
  readonly allowNonFinite?: boolean | undefined;
  /** File for what was done to each tensor, as JSON. */
  readonly report?: string | undefined;
  /** Is told what will be done, before it is. */
  readonly onPlan?: ((plan: PreparedMerge, resources: Resources) => void) | undefined;
}

/** What a merge wrote, or found written. */
export interface MergeResult {
  readonly out: string;
  readonly files: readonly { readonly name: string; readonly bytes: number }[];
  /** Tensors of the output. */
  readonly tensors: number;
  /** Those of them that an adapter changes. */
  readonly merged: number;
  readonly bytes: number;
  readonly notices: readonly string[];
  /** Files that an earlier run had finished. */
  readonly resumed: number;
  /** Nothing was written: the folder held exactly this. */
  readonly doneBefore: boolean;
}

/**
 * Writes a checkpoint with adapters merged in, tile by tile on worker threads: W' = W + Σ scaleᵢ·ΔWᵢ for additive methods, and what each other method's
 * `transform` gives. Memory is bounded by `maxMemory`, not by the model. The same inputs give the same bytes on any number of threads. Nothing under a final
 * name is ever incomplete; a run that was stopped is gone on with by the same call.
 * @throws ConfigError kinds `exists`, `output-is-input`, `other-job`, `missing-adapter`; CapabilityError, MatchError, FormatError, ShapeError, IoError,
 * CancelledError
 */
export const mergeCheckpoint = (options: MergeOptions): Promise<MergeResult> => writeMerge("merge", mergeInput("merge", options), options);

/**
 * Takes adapters out of a merged checkpoint again: W = W' - ΔW in the weights' dtype, the last adapter first. In bf16 and f16 the result is near the base,
 * not equal to it.
 * @throws as `mergeCheckpoint`; CapabilityError kind `not-unmergeable`
 */
export const unmergeCheckpoint = (options: MergeOptions): Promise<MergeResult> =>
  writeMerge("unmerge", mergeInput("unmerge", { ...options, adapters: options.adapters?.toReversed() ?? [] }), options);

/** @param phase what progress is called */
export async function writeMerge(phase: string, input: MergeInput, options: MergeOptions): Promise<MergeResult> {
  const { out, report, signal } = options;
  await refuseEarly(input, options);
  const prepared = await prepareMerge(input, options, signal);
  try {
    const { output, notices } = prepared;
    const resources = await planResources(prepared, options, report !== undefined);
    options.onPlan?.(prepared, resources);
    const written = options.dryRun ? NOTHING : await writeOrFind(phase, prepared, resources, options);
    if (report !== undefined && !options.dryRun) await writeReport(report, prepared, resources, written);
    return {
      out,
      files: output.shards.map(({ file, layout }) => ({ name: file, bytes: layout.size })),
      tensors: output.items.length,
      merged: output.items.filter((job) => job.steps.length > 0).length,
      bytes: output.bytes,
      notices,
      resumed: written.resumed,
      doneBefore: written.doneBefore,
    };
  } finally {
    await prepared.close();
  }
}

/** What is known to be refused before adapters are opened and initialisations decomposed. */
async function refuseEarly({ base, adapters, maxShardSize }: MergeInput, { out, report, force }: MergeOptions): Promise<void> {
  const inputs = [base, ...adapters.map(({ path }) => path)];
  checkPlace(out, inputs);
  checkReport(report, inputs);
  if (force || !existsSync(out)) return;
  const { base: weights } = await openBase(localPath(base));
  const files = new Set([...weights.names()].map((name) => basename(weights.info(name).file)));
  await weights.close();
  refuseAnother(out, maxShardSize === undefined ? files : undefined);
}

/** What became of the output; what an earlier run had finished is not in the results. */
interface Written extends ShardResults {
  /** Files that an earlier run had finished. */
  readonly resumed: number;
  readonly doneBefore: boolean;
}

const NOTHING: Written = { results: new Map(), digests: new Map(), resumed: 0, doneBefore: false };

/** Writes the output; where that may not be replaced because it is there, it may be just what would be written. */
async function writeOrFind(phase: string, prepared: PreparedMerge, resources: Resources, options: MergeOptions): Promise<Written> {
  try {
    return await writeOutput(phase, prepared, resources, options);
  } catch (error) {
    if (!(error instanceof ConfigError && error.kind === "exists")) throw error;
    const { output, side } = prepared;
    const { tileBytes, plans, jobs } = resources;
    const [allowNonFinite, stats] = [options.allowNonFinite ?? false, options.report !== undefined];
    const results = await doneAlready(options.out, output, side, { plans, tileBytes, allowNonFinite, stats }, { ...options, jobs });
    if (!results) throw error;
    const hashes = new Map([...results].map(([name, { sha256 }]) => [name, sha256]));
    const digests = new Map(output.shards.map(({ file, layout }) => [file, shardDigest(layout.header, layout, hashes)]));
    return { results, digests, resumed: 0, doneBefore: true };
  }
}

async function writeOutput(
  phase: string,
  prepared: PreparedMerge,
  { jobs, tileBytes, plans }: Resources,
  { out, force = false, allowNonFinite = false, report, signal, onProgress }: MergeOptions,
): Promise<Written> {
  const { output, side, job, inputs } = prepared;
  const { filled, resumed } = await fillFolder(out, output, side, { force, job, inputs, signal }, (folder, outputs) =>
    writeMerged({
      output,
      finished: folder.finished,
      task: { outputs, plans, tileBytes, allowNonFinite, stats: report !== undefined },
      jobs,
      signal,
      onProgress: (done) => onProgress?.({ phase, done, total: output.bytes }),
      commit: (shard, hashes) => folder.commit(shard, hashes),
    }),
  );
  return { ...filled, resumed, doneBefore: false };
}
