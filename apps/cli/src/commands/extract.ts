import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import type { WeightSource } from "@weft/io-safetensors";
import { enableRelaxedSimd } from "@weft/kernels-wasm/node";
import {
  type ConvertModule,
  extractedModule,
  type FactorDType,
  type RankRule,
  type TargetName,
  wholeModule,
  withComponents,
} from "@weft/convert";
import { CapabilityError, MatchError } from "@weft/tensor-core";
import { type Command, type Context, EXIT } from "../context.js";
import {
  ChangeReader,
  checkOutput,
  checkReport,
  type ExtractSettings,
  filesOf,
  findPairs,
  folderOf,
  type LeftOut,
  openCheckpoint,
  type PairResult,
  readModelConfig,
  runExtract,
  writeReportFile,
} from "@weft/checkpoint/node";
import { UsageError } from "../failure.js";
import { formatBytes } from "@weft/checkpoint/format";
import { printable } from "../output.js";
import { savedText, saveAdapter } from "../files/saved-adapter.js";
import { formatSeconds, Progress } from "../progress.js";
import { peakMemory } from "../peak-memory.js";

export interface ExtractCommandOptions {
  readonly base: string;
  readonly out: string;
  readonly rank?: number;
  readonly convRank?: number;
  readonly autoRank?: number;
  readonly threshold?: number;
  readonly ratio?: number;
  readonly quantile?: number;
  readonly clamp?: number;
  readonly smallConv?: boolean;
  readonly whole?: boolean;
  readonly minChange: number;
  readonly target?: readonly string[];
  readonly to: TargetName;
  readonly dtype: Lowercase<FactorDType>;
  readonly baseName?: string;
  readonly allowLoss?: boolean;
  readonly report?: string;
}

/** What the report says of a module. */
interface ModuleReport {
  readonly module: string;
  /** null where the change itself was written. */
  readonly rank: number | null;
  /** ‖ΔW - BA‖ / ‖ΔW‖. */
  readonly residual: number;
}

/** Lines of a list that are shown to people. */
const SHOWN = 5;

/** `weft extract TUNED --base BASE --rank N -o OUT`: a fine-tuned checkpoint as an adapter, by SVD of the difference. */
export const extract: Command<ExtractCommandOptions> = async ([tunedPath], options, context) => {
  const started = performance.now();
  const settings = settingsOf(options);
  checkOutput(options.out, [options.base, tunedPath], context.options.force);
  checkReport(options.report, [options.base, tunedPath]);
  const opened: WeightSource[] = [];
  try {
    for (const path of [options.base, tunedPath]) opened.push(await openCheckpoint(path));
    const [base, tuned] = opened as [WeightSource, WeightSource];
    for (const warning of [...base.warnings, ...tuned.warnings]) context.out.warn(warning);
    refuseTransposed(tuned);
    const { pairs, leftOut } = findPairs(base, tuned, options.target);
    const bytes = pairs.reduce((sum, pair) => sum + pair.bytes, 0);
    const jobs = Math.min(context.options.jobs ?? Math.min(2, availableParallelism()), pairs.length);
    context.out.note(`extract ${pairs.length} weights, ${formatBytes(bytes)} to read, ${jobs} ${jobs === 1 ? "thread" : "threads"}`);
    if (context.options.dryRun) {
      context.out.result({ dryRun: true, out: options.out, modules: pairs.map(({ path }) => path), bytes, jobs }, () =>
        pairs.map(({ path, shape }) => `would extract ${printable(path)} [${shape}]`).join("\n"),
      );
      return EXIT.done;
    }
    const job = { base, tuned, paths: { base: options.base, tuned: tunedPath }, pairs, settings, jobs };
    const made = await run(job, bytes, options.dtype.toUpperCase() as FactorDType, context);
    const [modules, report] = [made.map(({ module }) => module), made.map((one) => one.report)];
    if (modules.length === 0) throw new MatchError("no weight changed: the two checkpoints are the same", { kind: "unchanged" });
    const lost = await changedOf(leftOut, base, tuned);
    warnOf(lost, context);
    const files = await saveAdapter(
      withComponents(modules),
      {
        to: options.to,
        out: options.out,
        base,
        baseName: options.baseName ?? null,
        allowLoss: options.allowLoss ?? false,
        metadata: new Map(),
        inputs: filesOf(opened),
      },
      context,
    );
    const seconds = Number(((performance.now() - started) / 1000).toFixed(3));
    const result = {
      files,
      modules: report,
      unchanged: pairs.length - modules.length,
      leftOut: lost,
      seconds,
      peakRss: peakMemory(),
    };
    if (options.report !== undefined) await writeReportFile(options.report, result);
    context.out.result(result, () => [...savedText(files), ...summary(report, seconds, result.peakRss)].join("\n"));
    return EXIT.done;
  } finally {
    await Promise.all(opened.map((source) => source.close()));
  }
};

function settingsOf(options: ExtractCommandOptions): ExtractSettings {
  const { rank, convRank, autoRank, threshold, ratio, quantile, clamp, smallConv = false, whole = false, minChange } = options;
  const rules = Object.entries({ energy: autoRank, threshold, ratio, quantile }).filter(([, value]) => value !== undefined);
  if (rules.length > 1)
    throw new UsageError("--auto-rank, --threshold, --ratio and --quantile exclude each other", "choose one; --rank limits what it gives");
  if (rules.length === 0 && rank === undefined)
    throw new UsageError("how large is the adapter to be?", "--rank 32, or --auto-rank 0.95 to choose it for each layer");
  if (whole && options.to === "peft")
    throw new UsageError("--whole writes ΔW itself, which PEFT has no form for", "choose --to kohya or lycoris");
  const [first] = rules;
  const rule: RankRule = first ? { kind: first[0] as RankRule["kind"], value: first[1]! } : { kind: "fixed", value: rank! };
  return {
    rule,
    ...(first && rank !== undefined && { maxRank: rank }),
    ...(convRank !== undefined && { convRule: { kind: "fixed" as const, value: convRank } }),
    ...(clamp !== undefined && { clamp }),
    smallConv,
    wholeFromHalf: whole,
    minChange,
  };
}

/** Models whose linear layers are stored [in, out] (transformers' Conv1D): which tensors that is does not follow from their shapes. */
const TRANSPOSED: ReadonlySet<string> = new Set(["gpt2", "openai-gpt", "imagegpt", "decision_transformer"]);

function refuseTransposed(tuned: WeightSource): void {
  if (!existsSync(tuned.location)) return;
  const type = (readModelConfig(folderOf(tuned.location)) as { readonly model_type?: unknown } | undefined)?.model_type;
  if (typeof type === "string" && TRANSPOSED.has(type))
    throw new CapabilityError(`${tuned.location}: ${type} stores its linear layers [in, out], which is not extracted yet`, {
      kind: "unsupported-model",
    });
}

type Job = Omit<Parameters<typeof runExtract>[0], "signal" | "onPair">;

interface Made {
  readonly module: ConvertModule;
  readonly report: ModuleReport;
}

/** The modules in the order of the pairs, whichever thread was first; weights that did not change are left out. */
async function run(job: Job, bytes: number, dtype: FactorDType, { out, signal }: Context): Promise<Made[]> {
  const made: (Made | undefined)[] = job.pairs.map(() => undefined);
  const progress = new Progress(out, "extract", bytes);
  let done = 0;
  enableRelaxedSimd();
  try {
    await runExtract({
      ...job,
      signal,
      onPair(index, result) {
        const { bytes: own, path } = job.pairs[index]!;
        made[index] = moduleOf(path, result, dtype);
        progress.update((done += own), path);
      },
    });
  } finally {
    progress.end();
  }
  return made.filter((one) => one !== undefined);
}

function moduleOf(path: string, result: PairResult, dtype: FactorDType): Made | undefined {
  if (result.kind === "unchanged") return undefined;
  if (result.kind === "whole")
    return { module: wholeModule(path, result.shape, result.values, dtype), report: { module: path, rank: null, residual: 0 } };
  const { factors, residual } = result.extracted;
  return {
    module: extractedModule(path, result.extracted, dtype),
    report: { module: path, rank: factors.rank, residual: Number(residual.toPrecision(4)) },
  };
}

/** Tensors without factors whose values are not those of the base: the adapter does not have what they learned. */
async function changedOf(
  leftOut: readonly LeftOut[],
  base: WeightSource,
  tuned: WeightSource,
): Promise<{ name: string; reason: string }[]> {
  const changed: { name: string; reason: string }[] = [];
  const changes = new ChangeReader(base, tuned);
  for (const { name, reason, comparable } of leftOut) if (!comparable || changes.differs(name)) changed.push({ name, reason });
  await changes.close();
  return changed;
}

function warnOf(lost: readonly { readonly name: string; readonly reason: string }[], { out }: Context): void {
  if (lost.length === 0) return;
  out.warn(`${lost.length} tensors differ and are not in the adapter`);
  for (const { name, reason } of lost.slice(0, SHOWN)) out.warn(`  ${printable(name)}: ${reason}`);
  if (lost.length > SHOWN) out.warn(`  … and ${lost.length - SHOWN} more`);
}

function summary(report: readonly ModuleReport[], seconds: number, peak: number): string[] {
  const ranks = report.flatMap(({ rank }) => (rank === null ? [] : [rank])).sort((a, b) => a - b);
  const worst = [...report].sort((a, b) => b.residual - a.residual).slice(0, SHOWN);
  return [
    `${report.length} modules${ranks.length > 0 ? `, rank ${ranks[0] === ranks.at(-1) ? ranks[0] : `${ranks[0]} to ${ranks.at(-1)}, median ${ranks[ranks.length >> 1]}`}` : ""}, in ${formatSeconds(seconds)}, peak memory ${formatBytes(peak)}`,
    "least well kept (share of ‖ΔW‖ that is lost):",
    ...worst.map(
      ({ module, rank, residual }) => `  ${(100 * residual).toFixed(1).padStart(5)} %  rank ${rank ?? "-"}  ${printable(module)}`,
    ),
  ];
}
