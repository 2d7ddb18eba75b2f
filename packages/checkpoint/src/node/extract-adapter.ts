import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import type { WeightSource } from "@weft/io-safetensors";
import {
  type ConvertModule,
  extractedModule,
  type FactorDType,
  type Loss,
  type TargetName,
  wholeModule,
  withComponents,
} from "@weft/convert";
import { CapabilityError, MatchError, type MethodTable } from "@weft/tensor-core";
import type { OnProgress } from "../job-progress.js";
import { checkOutput } from "./check-output.js";
import type { ExtractSettings, PairResult } from "./extract/extract-pair.js";
import { findPairs, type LeftOut, type Pair } from "./extract/pairs.js";
import { ChangeReader } from "./extract/read-change.js";
import { openValues, type OpenedValues } from "./open-values.js";
import { runTask } from "./run-task.js";
import { type SavedFile, saveModules } from "./save-modules.js";
import { folderOf, readModelConfig } from "./side-files.js";

/** What is extracted, by which rule, and where it goes. */
export interface ExtractOptions extends Partial<Omit<ExtractSettings, "rule">>, Pick<ExtractSettings, "rule"> {
  /** The checkpoint that was tuned, and what it was tuned to: folders, indices or files. */
  readonly base: string;
  readonly tuned: string;
  /** Folder, or a .safetensors file where the dialect has no config. */
  readonly out: string;
  readonly methods: MethodTable;
  /** Dialect to write; PEFT's if not given. */
  readonly to?: TargetName | undefined;
  /** How factors are stored; F32 if not given. */
  readonly dtype?: FactorDType | undefined;
  /** Last parts of module paths, or whole ones; all linear and convolution layers if not given. */
  readonly targets?: readonly string[] | undefined;
  /** What adapter_config.json calls the base. */
  readonly baseName?: string | undefined;
  /** Leave out what the dialect cannot hold, instead of refusing. */
  readonly allowLoss?: boolean | undefined;
  /** Threads; two if not given. */
  readonly jobs?: number | undefined;
  readonly force?: boolean | undefined;
  readonly dryRun?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
  /** Is told what will be done, before it is. */
  readonly onPlan?: ((plan: ExtractPlan) => void) | undefined;
  /** Is told what of the modules the dialect cannot hold, and is left out. */
  readonly onLoss?: ((loss: Loss) => void) | undefined;
}

/** What an extraction will do. */
export interface ExtractPlan {
  readonly pairs: readonly Pair[];
  /** Bytes to read. */
  readonly bytes: number;
  /** Threads. */
  readonly jobs: number;
  /** What a user should know of the two checkpoints. */
  readonly warnings: readonly string[];
}

/** What became of a module. */
export interface ExtractedModuleReport {
  readonly module: string;
  /** null where the change itself was written. */
  readonly rank: number | null;
  /** ‖ΔW - BA‖ / ‖ΔW‖. */
  readonly residual: number;
}

/** What an extraction wrote. */
export interface ExtractResult {
  readonly files: readonly SavedFile[];
  readonly modules: readonly ExtractedModuleReport[];
  /** Weights that did not change. */
  readonly unchanged: number;
  /** Tensors that changed and are not in the adapter. */
  readonly leftOut: readonly { readonly name: string; readonly reason: string }[];
}

/**
 * Writes a fine-tuned checkpoint as an adapter: the SVD of ΔW = W_tuned - W_base of every layer, cut at the rank that the rule gives. Weights are read
 * tile by tile, each ΔW is in memory as f32 on one thread at a time, and the result is the same on any number of threads.
 * @returns undefined with `dryRun`
 * @throws MatchError kinds `no-match`, `unchanged`; CapabilityError kind `unsupported-model`; FormatError kind `non-finite`; ConfigError kinds `exists`,
 * `output-is-input`; CancelledError
 */
export async function extractAdapter(options: ExtractOptions): Promise<ExtractResult | undefined> {
  const { base: basePath, tuned: tunedPath, out, force = false, signal, onProgress } = options;
  checkOutput(out, [basePath, tunedPath], force);
  const opened: OpenedValues[] = [];
  try {
    for (const path of [basePath, tunedPath]) opened.push(await openValues(path));
    const [{ weights: base, formats: before }, { weights: tuned, formats: after }] = opened as [OpenedValues, OpenedValues];
    refuseTransposed(tuned);
    const rounded = before.size + after.size > 0 ? [ROUNDED] : [];
    const { pairs, leftOut } = findPairs(base, tuned, options.targets);
    const bytes = pairs.reduce((sum, pair) => sum + pair.bytes, 0);
    const jobs = Math.min(options.jobs ?? Math.min(2, availableParallelism()), pairs.length);
    options.onPlan?.({ pairs, bytes, jobs, warnings: [...base.warnings, ...tuned.warnings, ...rounded] });
    if (options.dryRun) return undefined;
    const made = await extractAll(pairs, bytes, jobs, options);
    if (made.length === 0) throw new MatchError("no weight changed: the two checkpoints are the same", { kind: "unchanged" });
    const files = await saveModules(withComponents(made.map(({ module }) => module)), {
      to: options.to ?? "peft",
      out,
      base,
      baseName: options.baseName ?? null,
      allowLoss: options.allowLoss ?? false,
      metadata: new Map(),
      inputs: opened.flatMap((one) => one.files()),
      methods: options.methods,
      force,
      signal,
      onProgress,
      ...(options.onLoss && { onLoss: options.onLoss }),
    });
    return {
      files,
      modules: made.map(({ report }) => report),
      unchanged: pairs.length - made.length,
      leftOut: await changedOf(leftOut, opened[0]!, opened[1]!),
    };
  } finally {
    await Promise.all(opened.map((source) => source.close()));
  }
}

/** Of quantised checkpoints. */
const ROUNDED = "weights are quantised: what rounding them has changed is in the difference, too";

/** Models whose linear layers are stored [in, out] (transformers' Conv1D): which tensors that is does not follow from their shapes. */
const TRANSPOSED: ReadonlySet<string> = new Set(["gpt2", "openai-gpt", "imagegpt", "decision_transformer"]);

function refuseTransposed(tuned: WeightSource): void {
  if (!existsSync(tuned.location)) return;
  const type = readModelConfig(folderOf(tuned.location))?.model_type;
  if (typeof type === "string" && TRANSPOSED.has(type))
    throw new CapabilityError(`${tuned.location}: ${type} stores its linear layers [in, out], which is not extracted yet`, {
      kind: "unsupported-model",
    });
}

interface Made {
  readonly module: ConvertModule;
  readonly report: ExtractedModuleReport;
}

/** The modules in the order of the pairs, whichever thread was first; weights that did not change are left out. */
async function extractAll(pairs: readonly Pair[], total: number, jobs: number, options: ExtractOptions): Promise<Made[]> {
  const { base, tuned, rule, convRule, maxRank, clamp, dtype = "F32", signal, onProgress } = options;
  const settings: ExtractSettings = {
    rule,
    ...(convRule && { convRule }),
    ...(maxRank !== undefined && { maxRank }),
    ...(clamp !== undefined && { clamp }),
    smallConv: options.smallConv ?? false,
    wholeFromHalf: options.wholeFromHalf ?? false,
    minChange: options.minChange ?? 0,
  };
  const made: (Made | undefined)[] = pairs.map(() => undefined);
  await runTask({
    task: { kind: "extract", base, tuned, pairs, settings },
    jobs,
    signal,
    onProgress: (done) => onProgress?.({ phase: "extract", done, total }),
    onResult(index, result) {
      made[index] = moduleOf(pairs[index]!.path, result, dtype);
    },
  });
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
  base: OpenedValues,
  tuned: OpenedValues,
): Promise<{ name: string; reason: string }[]> {
  const changed: { name: string; reason: string }[] = [];
  const changes = new ChangeReader(base, tuned);
  for (const { name, reason, comparable } of leftOut) if (!comparable || (await changes.differs(name))) changed.push({ name, reason });
  return changed;
}
