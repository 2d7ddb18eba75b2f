import { basename, dirname, join } from "node:path";
import { checkPlace } from "./check-output.js";
import { type MergeOptions, type MergeResult, writeMerge } from "./merge-checkpoint.js";
import { mergeInput } from "./merge-options.js";
import { copyOthers, otherFiles, pipelineParts, refuseOthers } from "./pipeline.js";
import { prepareMerge } from "./prepare.js";

/** What is merged into which pipeline, and where the result goes. */
export interface MergePipelineOptions extends MergeOptions {
  /** Is told what became of each part, as soon as it is written. */
  readonly onPart?: ((part: string, result: MergeResult) => void) | undefined;
}

/** What a merge into a pipeline wrote. */
export interface MergePipelineResult {
  readonly out: string;
  /** Folders of the models that adapters are for. */
  readonly parts: readonly string[];
  /** Files that were copied as they are. */
  readonly copied: number;
}

/**
 * Merges adapters into those models of a diffusers pipeline (a folder with a `model_index.json`) that they are for, and copies all else. A report is written
 * for each part: `unet-report.json`.
 * @throws MatchError kinds `unknown-part`, `no-such-part`, `several-parts`; as `mergeCheckpoint`
 */
export async function mergePipeline(options: MergePipelineOptions): Promise<MergePipelineResult> {
  const { base, out, report, signal, force, dryRun } = options;
  checkPlace(out, [base]);
  const parts = await pipelineParts(mergeInput("merge", options), options.methods);
  const others = otherFiles(base, new Set(parts.keys()));
  if (!force) refuseOthers(base, others, out);
  // Nothing is written before all parts are known to fit.
  for (const input of parts.values()) await (await prepareMerge(input, options, signal)).close();
  for (const [part, input] of parts) {
    const own = report === undefined ? undefined : join(dirname(report), `${part}-${basename(report)}`);
    options.onPart?.(part, await writeMerge("merge", input, { ...options, base: input.base, out: join(out, part), report: own }));
  }
  if (!dryRun) copyOthers(base, others, out);
  return { out, parts: [...parts.keys()], copied: others.length };
}
