import type { WeightSource } from "@weft/io-safetensors";
import type { DialectName } from "@weft/adapter-files/dialects";
import {
  asPlainLora,
  type ConvertModule,
  type FactorDType,
  readFactors,
  resizeFactors,
  type ResizeRule,
  type TargetName,
  withFactors,
} from "@weft/convert";
import { CancelledError, CapabilityError, MatchError } from "@weft/tensor-core";
import { type Command, type Context, EXIT } from "../context.js";
import { UsageError } from "../failure.js";
import { modulesOfAdapter, targetOf } from "../files/adapter-modules.js";
import { checkOutput, filesOf, openAdapterAt, openCheckpoint } from "@weft/checkpoint/node";
import { printable } from "../output.js";
import { savedText, saveAdapter } from "../files/saved-adapter.js";
import { formatSeconds } from "../progress.js";

export interface ResizeCommandOptions {
  readonly out: string;
  readonly rank: number;
  readonly convRank?: number;
  readonly svRatio?: number;
  readonly svFro?: number;
  readonly svCumulative?: number;
  readonly from?: DialectName;
  readonly alpha?: number;
  readonly adapterName?: string;
  readonly to?: TargetName;
  readonly base?: string;
  readonly dtype?: Lowercase<FactorDType>;
  readonly allowLoss?: boolean;
}

/** What the result says of a module. */
interface ModuleReport {
  readonly module: string;
  readonly from: number;
  readonly to: number;
  /** Share of ‖ΔW‖ that is kept. */
  readonly kept: number;
}

/** Modules that are shown to people. */
const SHOWN = 5;

/** `weft resize LORA --rank N -o OUT`: the same adapter at lower ranks, by kohya's rules. */
export const resize: Command<ResizeCommandOptions> = async ([path], options, context) => {
  const started = performance.now();
  const rule = ruleOf(options);
  checkOutput(options.out, [path, options.base], context.options.force);
  const opened: WeightSource[] = [];
  try {
    const adapter = await openAdapterAt(path, (await context.methods()).table, options);
    opened.push(adapter.weights);
    const base = options.base === undefined ? undefined : await openCheckpoint(options.base);
    if (base) opened.push(base);
    const to = targetOf(adapter, options.to);
    const { modules, losses } = modulesOfAdapter(adapter, to, base, context);
    const { resized, report } = await resizeAll(modules, rule, options, context);
    if (report.length === 0)
      throw new MatchError(`${path}: no module is a low-rank product, so there is nothing to resize`, { kind: "no-match" });
    const totals = { out: options.out, modules: report, seconds: Number(((performance.now() - started) / 1000).toFixed(3)) };
    if (context.options.dryRun) {
      context.out.result({ dryRun: true, ...totals }, () => [...summary(report), `would write ${options.out}`].join("\n"));
      return EXIT.done;
    }
    const baseName = (adapter.config.values as { readonly baseModelNameOrPath?: string | null }).baseModelNameOrPath ?? null;
    const save = {
      to,
      out: options.out,
      ...(base && { base }),
      baseName,
      allowLoss: options.allowLoss ?? false,
      losses,
      inputs: filesOf(opened),
    };
    const files = await saveAdapter(resized, { ...save, metadata: metadataOf(adapter.weights.metadata, rule, options, report) }, context);
    context.out.result({ files, ...totals }, () =>
      [...savedText(files), ...summary(report), `in ${formatSeconds(totals.seconds)}`].join("\n"),
    );
    return EXIT.done;
  } finally {
    await Promise.all(opened.map((source) => source.close()));
  }
};

function ruleOf({ svRatio, svFro, svCumulative }: ResizeCommandOptions): ResizeRule | undefined {
  const rules = Object.entries({ sv_ratio: svRatio, sv_fro: svFro, sv_cumulative: svCumulative }).filter(
    ([, value]) => value !== undefined,
  );
  if (rules.length > 1)
    throw new UsageError("--sv-ratio, --sv-fro and --sv-cumulative exclude each other", "choose one; --rank limits what it gives");
  const [first] = rules;
  return first && { kind: first[0] as ResizeRule["kind"], value: first[1]! };
}

async function resizeAll(
  modules: readonly ConvertModule[],
  rule: ResizeRule | undefined,
  { rank, convRank, dtype }: ResizeCommandOptions,
  { out, signal }: Context,
): Promise<{ resized: ConvertModule[]; report: ModuleReport[] }> {
  const resized: ConvertModule[] = [];
  const report: ModuleReport[] = [];
  for (const module of modules) {
    if (signal.aborted) throw new CancelledError("stopped");
    const plain = asPlainLora(module);
    if (typeof plain === "string") {
      out.warn(`${printable(module.label)} is left as it is: ${plain}`);
      resized.push(module);
      continue;
    }
    if (plain.parameters.has("dora_scale")) throw withMagnitudes(module);
    const given = await readFactors(plain);
    const kernel = plain.parameters
      .get("lora_down.weight")!
      .shape.slice(2)
      .reduce((a, b) => a * b, 1);
    const { factors, kept } = resizeFactors(given, rule, kernel > 1 ? (convRank ?? rank) : rank);
    resized.push(withFactors(plain, factors, (dtype?.toUpperCase() as FactorDType | undefined) ?? storedDType(plain)));
    report.push({ module: module.label, from: module.rank!, to: factors.rank, kept: Number(kept.toPrecision(6)) });
  }
  return { resized, report };
}

/** m·(W + ΔW) / ‖W + ΔW‖ with another ΔW is another weight in every row. */
const withMagnitudes = ({ label }: ConvertModule): CapabilityError =>
  new CapabilityError(`${printable(label)}: its magnitudes (DoRA) go with the change at its full rank, so it cannot be resized`, {
    kind: "not-resizable",
    tensor: label,
    hint: "make a LoRA of what it does: weft merge BASE -a ADAPTER -o MERGED, then weft extract MERGED --base BASE --rank N -o OUT",
  });

function storedDType({ parameters }: ConvertModule): FactorDType {
  const { dtype } = parameters.get("lora_down.weight")!;
  return dtype === "F16" || dtype === "BF16" ? dtype : "F32";
}

/** kohya's own entries of a resize; rank and alpha are filled in from the tensors where they are the same everywhere. @see sd-scripts `networks/resize_lora.py` */
function metadataOf(
  before: ReadonlyMap<string, string>,
  rule: ResizeRule | undefined,
  { rank, convRank }: ResizeCommandOptions,
  report: readonly ModuleReport[],
): Map<string, string> {
  const metadata = new Map(before);
  const old = before.get("ss_network_dim") ?? String(Math.max(...report.map(({ from }) => from)));
  const conv = convRank === undefined || convRank === rank ? "" : ` (conv: ${convRank})`;
  const what = rule ? `Dynamic resize with ${rule.kind}: ${rule.value} from ${old}` : `dimension is resized from ${old} to ${rank}${conv}`;
  metadata.set("ss_training_comment", `${what}; ${before.get("ss_training_comment") ?? ""}`);
  for (const key of ["ss_network_dim", "ss_network_alpha"])
    if (rule) metadata.set(key, "Dynamic");
    else metadata.delete(key);
  return metadata;
}

function summary(report: readonly ModuleReport[]): string[] {
  const range = (values: readonly number[]): string => {
    const [low, high] = [Math.min(...values), Math.max(...values)];
    return low === high ? String(low) : `${low} to ${high}`;
  };
  const worst = [...report].sort((a, b) => a.kept - b.kept).slice(0, SHOWN);
  return [
    `${report.length} modules, rank ${range(report.map(({ from }) => from))} → ${range(report.map(({ to }) => to))}`,
    "least well kept (share of ‖ΔW‖):",
    ...worst.map(({ module, from, to, kept }) => `  ${(100 * kept).toFixed(1).padStart(5)} %  rank ${from} → ${to}  ${printable(module)}`),
  ];
}
