import type { FactorDType, RankRule, TargetName } from "@weft/convert";
import { formatBytes } from "@weft/checkpoint/format";
import {
  checkReport,
  extractAdapter,
  type ExtractedModuleReport,
  type ExtractPlan,
  type ExtractSettings,
  writeReportFile,
} from "@weft/checkpoint/node";
import { type Command, type Context, EXIT } from "../context.js";
import { UsageError } from "../failure.js";
import { savedText } from "../files/saved-adapter.js";
import { printable } from "../output.js";
import { formatSeconds, showProgress } from "../progress.js";
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

/** Lines of a list that are shown to people. */
const SHOWN = 5;

/** `weft extract TUNED --base BASE --rank N -o OUT`: a fine-tuned checkpoint as an adapter, by SVD of the difference. */
export const extract: Command<ExtractCommandOptions> = async ([tuned], options, context) => {
  const started = performance.now();
  const { base, out, to, target, baseName, allowLoss, report } = options;
  const { force, dryRun, jobs } = context.options;
  const settings = settingsOf(options);
  checkReport(report, [base, tuned]);
  let plan: ExtractPlan | undefined;
  const { onProgress, end } = showProgress(context.out);
  const extracted = await extractAdapter({
    base,
    tuned,
    out,
    to,
    ...settings,
    methods: (await context.methods()).table,
    dtype: options.dtype.toUpperCase() as FactorDType,
    targets: target,
    baseName,
    allowLoss,
    jobs,
    force,
    dryRun,
    signal: context.signal,
    onProgress,
    onPlan(found) {
      plan = found;
      for (const warning of found.warnings) context.out.warn(warning);
      const { pairs, bytes, jobs: threads } = found;
      context.out.note(
        `extract ${pairs.length} weights, ${formatBytes(bytes)} to read, ${threads} ${threads === 1 ? "thread" : "threads"}`,
      );
    },
    onLoss: ({ message }) => context.out.warn(`lost: ${message}`),
  }).finally(end);
  if (!extracted) {
    const { pairs, bytes, jobs: threads } = plan!;
    context.out.result({ dryRun: true, out, modules: pairs.map(({ path }) => path), bytes, jobs: threads }, () =>
      pairs.map(({ path, shape }) => `would extract ${printable(path)} [${shape}]`).join("\n"),
    );
    return EXIT.done;
  }
  warnOf(extracted.leftOut, context);
  const seconds = Number(((performance.now() - started) / 1000).toFixed(3));
  const result = { ...extracted, seconds, peakRss: peakMemory() };
  if (report !== undefined) await writeReportFile(report, result);
  context.out.result(result, () => [...savedText(result.files), ...summary(result.modules, seconds, result.peakRss)].join("\n"));
  return EXIT.done;
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

function warnOf(lost: readonly { readonly name: string; readonly reason: string }[], { out }: Context): void {
  if (lost.length === 0) return;
  out.warn(`${lost.length} tensors differ and are not in the adapter`);
  for (const { name, reason } of lost.slice(0, SHOWN)) out.warn(`  ${printable(name)}: ${reason}`);
  if (lost.length > SHOWN) out.warn(`  … and ${lost.length - SHOWN} more`);
}

function summary(report: readonly ExtractedModuleReport[], seconds: number, peak: number): string[] {
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
