import { basename, join } from "node:path";
import { describeReport } from "@weft/adapter-files";
import type { Resources } from "@weft/checkpoint";
import { formatBytes } from "@weft/checkpoint/format";
import {
  isPipeline,
  mergeCheckpoint,
  type MergeJobOptions,
  type MergeOptions,
  mergePipeline,
  type MergeResult,
  type PreparedMerge,
  unmergeCheckpoint,
} from "@weft/checkpoint/node";
import { type Command, type Context, EXIT } from "../context.js";
import { parseScaledPath } from "../files/scaled-path.js";
import { formatSeconds, showProgress } from "../progress.js";
import { peakMemory } from "../peak-memory.js";

/** Options of the commands that merge, whether or not they write the result. */
export interface MergeJobCommandOptions {
  readonly adapter: readonly string[];
  readonly alpha?: number;
  readonly adapterName?: string;
  readonly dtype?: "f32" | "f16" | "bf16";
  readonly maxMemory?: number;
  readonly safe?: boolean;
  readonly autocastAdapterDtype?: boolean;
  readonly untie?: boolean;
  readonly maxShardSize?: number;
}

export interface MergeCommandOptions extends MergeJobCommandOptions {
  readonly out: string;
  readonly allowNonfinite?: boolean;
  readonly report?: string;
  readonly allowLoss?: boolean;
  readonly residualRank?: number;
}

/** `weft merge BASE -a ADAPTER[:scale] … -o OUT`: one checkpoint, or those models of a pipeline that the adapters are for. */
export const merge: Command<MergeCommandOptions> = async ([base], options, context) => {
  if (!isPipeline(base)) return runMerge("merge", base, options, context);
  const { dryRun } = context.options;
  const { onProgress, end } = showProgress(context.out);
  const plan = describer(base, "merge", context);
  const { out, parts, copied } = await mergePipeline({
    ...(await mergeOptions(base, options, context)),
    onProgress,
    onPlan: plan.onPlan,
    onPart(part, result) {
      end();
      show(result, plan, "merge", context);
    },
  }).finally(end);
  context.out.result({ ...(dryRun && { dryRun }), out, parts, copied }, () =>
    dryRun ? `would copy ${copied} other files of ${base}` : `✓ ${out}: ${parts.join(", ")}; ${copied} other files as they were`,
  );
  return EXIT.done;
};

/** `weft unmerge MERGED -a ADAPTER[:scale] -o OUT`: W' - Δ. */
export const unmerge: Command<MergeCommandOptions> = ([merged], options, context) => runMerge("unmerge", merged, options, context);

async function runMerge(verb: "merge" | "unmerge", base: string, options: MergeCommandOptions, context: Context): Promise<number> {
  const { onProgress, end } = showProgress(context.out);
  const plan = describer(base, verb, context);
  const run = verb === "merge" ? mergeCheckpoint : unmergeCheckpoint;
  const result = await run({ ...(await mergeOptions(base, options, context)), onProgress, onPlan: plan.onPlan }).finally(end);
  show(result, plan, verb, context);
  return EXIT.done;
}

/** What a merge is of, as the library calls it. */
export async function mergeJobOptions(base: string, options: MergeJobCommandOptions, context: Context): Promise<MergeJobOptions> {
  const { table: methods, files: methodFiles } = await context.methods();
  return {
    base,
    adapters: options.adapter.map(parseScaledPath),
    methods,
    methodFiles,
    alpha: options.alpha,
    adapterName: options.adapterName,
    dtype: options.dtype,
    safeMerge: options.safe ?? false,
    autocastAdapterDtype: options.autocastAdapterDtype ?? true,
    untie: options.untie ?? true,
    maxShardSize: options.maxShardSize,
    jobs: context.options.jobs,
    maxMemory: options.maxMemory,
    signal: context.signal,
  };
}

const mergeOptions = async (base: string, options: MergeCommandOptions, context: Context): Promise<MergeOptions> => ({
  ...(await mergeJobOptions(base, options, context)),
  out: options.out,
  force: context.options.force,
  dryRun: context.options.dryRun,
  allowNonFinite: options.allowNonfinite ?? false,
  report: options.report,
  allowLoss: options.allowLoss ?? false,
  residualRank: options.residualRank,
});

/** Says what will be done, and keeps with what and since when. */
interface Describer {
  readonly onPlan: (plan: PreparedMerge, resources: Resources) => void;
  resources(): Resources;
  /** Since the last plan but one: a pipeline has one for each part. */
  seconds(): number;
}

function describer(base: string, verb: string, context: Context): Describer {
  let planned: Resources;
  let started = performance.now();
  return {
    onPlan(plan, resources) {
      planned = resources;
      describe(plan, base, resources, context, verb);
    },
    resources: () => planned,
    seconds() {
      const seconds = (performance.now() - started) / 1000;
      started = performance.now();
      return seconds;
    },
  };
}

function show(result: MergeResult, plan: Describer, verb: string, { options, out }: Context): void {
  const { resumed, doneBefore, ...summary } = result;
  const { jobs, tileBytes, onePiece } = plan.resources();
  if (options.dryRun) {
    out.result({ dryRun: true, ...summary, jobs, tileBytes, onePiece }, () =>
      [
        ...result.files.map(({ name, bytes }) => `would write ${join(result.out, name)}  ${formatBytes(bytes)}`),
        ...(onePiece.length > 0 ? [inOnePiece(onePiece)] : []),
        `${jobs} threads, tiles of ${formatBytes(tileBytes)}`,
      ].join("\n"),
    );
    return;
  }
  const seconds = plan.seconds();
  const peak = peakMemory();
  out.result({ ...summary, resumed, doneBefore, seconds: Number(seconds.toFixed(3)), peakRss: peak }, () => {
    const files = result.files.map(({ name, bytes }) => `✓ ${join(result.out, name)}  ${formatBytes(bytes)}`);
    const pieces = result.files[0]!.name.endsWith(".gguf") ? `${result.tensors} tensors` : `${files.length} files`;
    if (doneBefore) return [...files, `done already: ${result.out} holds exactly this, bit for bit`].join("\n");
    return [
      ...files,
      ...requantizedText(result),
      `${result.merged} of ${result.tensors} tensors ${verb}d in ${formatSeconds(seconds)}, peak memory ${formatBytes(peak)}${resumed > 0 ? `; ${resumed} of ${pieces} were done already` : ""}`,
    ].join("\n");
  });
}

const percent = (x: number): string => `${(100 * x).toPrecision(3)} %`;

function requantizedText({ requantized }: MergeResult): string[] {
  if (!requantized) return [];
  const { weights, survived, errorBefore, errorAfter, residual } = requantized;
  return [
    `${weights} quantised weights stored anew: ${percent(survived)} of the change survived; off the merged weights by ${percent(errorBefore)} before, ${percent(errorAfter)} now`,
    ...(residual === undefined ? [] : [`✓ ${residual}  what was lost, as a LoRA on the merged checkpoint`]),
  ];
}

function describe(
  { adapters, reports, output, notices }: PreparedMerge,
  base: string,
  resources: Resources,
  { out }: Context,
  verb: string,
): void {
  for (const [i, { path, adapter, scale }] of adapters.entries()) {
    const { r, loraAlpha, alpha = loraAlpha } = adapter.config.values as { r?: number; loraAlpha?: number; alpha?: number };
    const numbers = [typeof r === "number" ? ` r${r}` : "", typeof alpha === "number" ? ` α${alpha}` : ""].join("");
    for (const line of describeReport(reports[i]!))
      out.note(`${basename(path)} (${adapter.method}${numbers}${scale === 1 ? "" : ` × ${scale}`}): ${line}`);
  }
  for (const notice of notices) out.warn(notice);
  const narrow = new Set(output.items.flatMap(({ steps, dtype }) => (steps.length > 0 && dtype !== "F32" ? [dtype.toLowerCase()] : [])));
  if (verb === "unmerge" && narrow.size > 0)
    out.note(`unmerging subtracts in the weights' dtype: in ${[...narrow].join(" and ")} the result is near the base, not equal to it`);
  out.note(
    `${verb} ${base}: ${output.shards.length} ${output.shards.length === 1 ? "file" : "files"}, ${formatBytes(output.bytes)}, ${resources.jobs} ${resources.jobs === 1 ? "thread" : "threads"}`,
  );
  if (resources.onePiece.length > 0) out.note(inOnePiece(resources.onePiece));
}

const inOnePiece = ([first, ...others]: readonly string[]): string =>
  `computed in one piece, as their rows depend on each other: ${first}${others.length > 0 ? ` and ${others.length} more` : ""}`;
