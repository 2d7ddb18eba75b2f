import { existsSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { ConfigError } from "@weft/tensor-core";
import type { Resources } from "../plan/plan-memory.js";
import type { TensorJob } from "../plan/tensor-job.js";
import { tensorsMade } from "./compute-tensors.js";
import { checkOutput, checkPlace } from "./check-output.js";
import { doneAlready } from "./done-already.js";
import { fillFolder } from "./fill-folder.js";
import { type MergeJobOptions, mergeInput, planResources } from "./merge-options.js";
import { localPath, openBase } from "./open-input.js";
import { refuseAnother } from "./output-folder.js";
import { type MergeInput, prepareMerge, type PreparedMerge } from "./prepare.js";
import { checkReport } from "./report-file.js";
import { shardDigest } from "./shard-digest.js";
import { isGgufPath } from "./open-merge-base.js";
import { ResumableFile } from "./quantize/resumable-file.js";
import type { TensorTask } from "./worker-task.js";
import type { WriteShardsOptions } from "./write-shards.js";
import { writeReport } from "./write-report.js";
import { type LossNumbers, lossNumbers } from "../quantize/merge-loss.js";
import {
  type LossOptions,
  measureRequantized,
  type Requantized,
  requantizedJobs,
  RESIDUAL_FILES,
  residualFolder,
} from "./quantize/requantized.js";
import { type ShardResults, writeMerged } from "./write-merged.js";

/** What is merged, how, and where the result goes. */
export interface MergeOptions extends MergeJobOptions, LossOptions {
  /** Folder to write; of a GGUF file, without `dtype`, a GGUF file. */
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
  /** Files that an earlier run had finished; of a GGUF file, tensors. */
  readonly resumed: number;
  /** Nothing was written: the folder held exactly this. */
  readonly doneBefore: boolean;
  /** What storing merged weights as the base has them, quantised, left of them; undefined where none is, and with `doneBefore`. */
  readonly requantized: (LossNumbers & { readonly weights: number; readonly residual: string | undefined }) | undefined;
}

/**
 * Writes a checkpoint with adapters merged in, tile by tile on worker threads: W' = W + Σ scaleᵢ·ΔWᵢ for additive methods, and what each other method's
 * `transform` gives. Memory is bounded by `maxMemory`, not by the model. The same inputs give the same bytes on any number of threads. Nothing under a final
 * name is ever incomplete; a run that was stopped is gone on with by the same call. Quantised weights are computed as their values and stored as the base has them, with scales that are
 * fitted anew, or with `dtype` as numbers of it, all of them.
 * @throws CapabilityError kind `change-lost` where rounding takes more than half of the change, without `allowLoss` and `residualRank`; ConfigError kinds `exists`, `output-is-input`, `other-job`, `missing-adapter`; CapabilityError, MatchError, FormatError, ShapeError, IoError,
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
    const resources = await planResources(prepared, options, report !== undefined, options.residualRank);
    options.onPlan?.(prepared, resources);
    const written = options.dryRun ? NOTHING : await writeOrFind(phase, prepared, resources, options);
    if (report !== undefined && !options.dryRun) await writeReport(report, prepared, resources, written);
    return {
      out: prepared.gguf ? dirname(out) : out,
      files: output.shards.map(({ file, layout }) => ({ name: prepared.gguf ? basename(out) : file, bytes: layout.size })),
      tensors: output.items.length,
      merged: output.items.filter((job) => job.steps.length > 0).length,
      bytes: output.bytes,
      notices,
      resumed: written.resumed,
      doneBefore: written.doneBefore,
      requantized: written.requantized && {
        ...lossNumbers(written.requantized.loss),
        weights: written.requantized.losses.size,
        residual: written.requantized.residual?.folder,
      },
    };
  } finally {
    await prepared.close();
  }
}

/** What is known to be refused before adapters are opened and initialisations decomposed. */
async function refuseEarly(
  { base, adapters, maxShardSize, dtype }: MergeInput,
  { out, report, force = false }: MergeOptions,
): Promise<void> {
  const inputs = [base, ...adapters.map(({ path }) => path)];
  checkPlace(out, inputs);
  checkReport(report, inputs);
  const toFile = isGgufPath(out);
  if (toFile !== (isGgufPath(base) && dtype === undefined))
    throw new ConfigError(
      toFile ? `${out}: a GGUF file is written of a GGUF file, as it is` : `${out}: what a GGUF file becomes as it is, is a GGUF file`,
      {
        kind: toFile ? "not-a-file" : "not-a-folder",
        file: out,
        hint: toFile
          ? "merge, and then: weft quantize MERGED --to q8_0 -o OUT.gguf"
          : "name one: -o MERGED.gguf; or write a checkpoint: --dtype bf16",
      },
    );
  if (toFile) return checkOutput(out, inputs, force);
  if (force || !existsSync(out)) return;
  const { base: weights } = await openBase(localPath(base));
  const files = new Set([...weights.names()].map((name) => basename(weights.info(name).file)));
  await weights.close();
  refuseAnother(out, maxShardSize === undefined ? files : undefined);
}

/** What became of the output; what an earlier run had finished is not in the results. */
interface Written extends ShardResults {
  /** As of `MergeResult`. */
  readonly resumed: number;
  readonly doneBefore: boolean;
  readonly requantized: Requantized | undefined;
}

const NOTHING: Written = { results: new Map(), digests: new Map(), resumed: 0, doneBefore: false, requantized: undefined };

/** Writes the output; where that may not be replaced because it is there, it may be just what would be written. */
async function writeOrFind(phase: string, prepared: PreparedMerge, resources: Resources, options: MergeOptions): Promise<Written> {
  try {
    return await writeOutput(phase, prepared, resources, options);
  } catch (error) {
    if (!(error instanceof ConfigError && error.kind === "exists") || prepared.gguf) throw error;
    const { output, side } = prepared;
    const { tileBytes, plans, jobs } = resources;
    const [allowNonFinite, stats] = [options.allowNonFinite ?? false, options.report !== undefined];
    const results = await doneAlready(
      options.out,
      output,
      side,
      { plans, values: prepared.values, tileBytes, allowNonFinite, stats },
      { ...options, jobs },
    );
    if (!results) throw error;
    const hashes = new Map([...results.values()].flatMap((one) => one.hashes));
    const digests = new Map(output.shards.map(({ file, layout }) => [file, shardDigest(layout.header, layout, hashes)]));
    const changes = new Map([...results].map(([name, { result }]) => [name, result]));
    return { results: changes, digests, resumed: 0, doneBefore: true, requantized: undefined };
  }
}

async function writeOutput(phase: string, prepared: PreparedMerge, resources: Resources, options: MergeOptions): Promise<Written> {
  const { output, side, job, inputs, values } = prepared;
  const { jobs, tileBytes, plans } = resources;
  const { out, force = false, allowNonFinite = false, report, signal, onProgress } = options;
  const stats = report !== undefined;
  const compute = (
    outputs: TensorTask["outputs"],
    {
      items = output.items,
      ...how
    }: Pick<WriteShardsOptions<TensorTask, TensorJob>, "finished" | "commit" | "onItem"> & {
      readonly items?: readonly TensorJob[];
    },
  ): Promise<ShardResults> =>
    writeMerged({
      output: { ...output, items },
      task: { outputs, plans, values, tileBytes, allowNonFinite, stats },
      jobs,
      signal,
      onProgress: (done) => onProgress?.({ phase, done, total: output.bytes }),
      ...how,
    });
  const measure = (files: readonly string[], adapter: string): Promise<Requantized | undefined> =>
    measureRequantized(prepared, resources, files, adapter, { ...options, signal, stats });
  if (prepared.gguf) {
    const { layout } = output.shards[0]!;
    const { filled, resumed } = await ResumableFile.fill(out, layout, { job, force, signal }, async (file) => {
      const written = await compute([{ path: file.path, name: out }], {
        items: output.items.filter((item) => !tensorsMade(item).every((name) => file.finished.has(name))),
        finished: new Set(),
        commit: async () => "",
        onItem: (_, { hashes }) => file.note(hashes),
      });
      return { ...written, requantized: await measure([file.path], residualFolder(out)) };
    });
    return { ...filled, digests: new Map(), resumed, doneBefore: false };
  }
  const more = options.residualRank !== undefined && requantizedJobs(prepared).length > 0 ? RESIDUAL_FILES : [];
  const { filled, resumed } = await fillFolder(out, output, side, { force, job, inputs, signal, more }, async (folder, outputs) => {
    const written = await compute(outputs, { finished: folder.finished, commit: (shard, hashes) => folder.commit(shard, hashes) });
    const files = output.shards.map(({ file }) => join(folder.path, file));
    return { ...written, requantized: await measure(files, residualFolder(folder.path)) };
  });
  return { ...filled, resumed, doneBefore: false };
}
