import type { WeightSource } from "@weft/io-safetensors";
import type { MatchReport } from "@weft/adapter-files";
import { CapabilityError } from "@weft/tensor-core";
import { collectChanges } from "../changes/changes.js";
import type { Change } from "../changes/change.js";
import { checkVocabulary, resolveTie } from "../changes/resolve-tie.js";
import type { ModelConfig } from "../changes/tied.js";
import { viewBase } from "../changes/view-base.js";
import { unscaledNotice } from "../changes/whole-tensors.js";
import type { ValueBase } from "../quantize/value-base.js";
import type { ByteReader } from "../source/byte-reader.js";
import type { ScaledAdapter } from "../source/scaled-adapter.js";
import { type OutputPlan, planOutput } from "./layout.js";
import type { ConfigEdit } from "./model-config.js";
import type { TensorLocation } from "./tensor-job.js";

/** How floats of a checkpoint are stored. */
export type WeightDType = "f32" | "f16" | "bf16";

/** Options that decide what the output is, beside the inputs. */
export interface MergeSettings {
  /** `merge` adds what adapters do; `unmerge` takes it out again; `convert` has no adapters, and changes dtypes only. */
  readonly operation: "merge" | "unmerge" | "convert";
  /** Stores floats as this; as they are if undefined. */
  readonly dtype: WeightDType | undefined;
  /** Round as PEFT's `safe_merge` does. */
  readonly safeMerge: boolean;
  /** Adapters compute in f32 whatever their files hold, as PEFT reads them by default. */
  readonly autocastAdapterDtype: boolean;
  /** Two tied embeddings of which an adapter changes one become weights of their own; else both get the changes of both. */
  readonly untie: boolean;
  /** Cuts the output anew into files of at most so many bytes; undefined: as the base. */
  readonly maxShardSize: number | undefined;
}

/** What merging does if nothing is said. */
export const MERGE_DEFAULTS: MergeSettings = {
  operation: "merge",
  dtype: undefined,
  safeMerge: false,
  autocastAdapterDtype: true,
  untie: true,
  maxShardSize: undefined,
};

/** Everything that is known of a merge before the first tensor is read. */
export interface MergePlan {
  /** The base as adapters are matched to it. */
  readonly base: WeightSource;
  readonly adapters: readonly ScaledAdapter[];
  /** What of each adapter goes where. */
  readonly reports: readonly MatchReport[];
  readonly output: OutputPlan;
  /** What config.json must say. */
  readonly edit: ConfigEdit;
  /** The adapter that brings another number of tokens: its tokenizer goes along. */
  readonly resizedBy: ScaledAdapter | undefined;
  /** Values that are stored in another way, by the names that stand for their files. */
  readonly values: ValueBase["values"];
  /** What a user should know. */
  readonly notices: readonly string[];
}

export interface PlanMergeOptions {
  /** The checkpoint as one of values, where it has quantised weights. */
  readonly values?: ValueBase | undefined;
  /** Plans the output, where it is stored as the base is, and that is not safetensors. */
  readonly planOutput?: ((changes: ReadonlyMap<string, Change>) => OutputPlan) | undefined;
  /** The base's config.json, if there is one. */
  readonly model: ModelConfig | undefined;
  /** Reads the files of base and adapters. */
  readonly files: ByteReader;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Matches adapters to a base and plans every tensor of the output. Headers are read, and weights only where an initialisation or a derived parameter
 * has to be found out.
 * @throws MatchError, ShapeError, ConfigError, CapabilityError, CancelledError
 */
export async function planMerge(
  checkpoint: WeightSource,
  adapters: readonly ScaledAdapter[],
  settings: MergeSettings,
  { model, files, signal, values, planOutput: planOther }: PlanMergeOptions,
): Promise<MergePlan> {
  const opened = adapters.map(({ adapter }) => adapter);
  const { base, tie, quantization } = await viewBase(values?.weights ?? checkpoint, opened, model, files);
  const unmerge = settings.operation === "unmerge";
  const { changes, reports } = await collectChanges(base, adapters, {
    ...settings,
    unmerge,
    model,
    tie,
    quantization,
    unread: values?.unread,
    files,
    signal,
  });
  const resolved = await resolveTie(changes as Map<string, Change>, tie, settings.untie && !unmerge, files);
  checkVocabulary(base, changes, resolved);
  const names = [...base.names(), ...[...changes.keys()].filter((name) => !base.has(name))].filter((name) => name !== resolved.omit);
  const touched = values ? [...changes].filter(([name]) => values.packed.has(name)) : [];
  // Of a base that is no checkpoint of safetensors, all weights are values.
  const dense = settings.dtype !== undefined && (touched.length > 0 || planOther !== undefined);
  if (!dense) refuseUnwritable(touched, values, settings);
  const output =
    planOther && !dense
      ? planOther(changes)
      : planOutput(base, names, changes, { ...settings, quantization, packed: dense ? undefined : values?.packed });
  const resized = [...changes.values()].find((change) => change.resized)?.replacement;
  return {
    base,
    adapters,
    reports,
    output,
    edit: { untie: resolved.untied, vocabulary: resized?.shape[0], dtype: settings.dtype, dequantized: dense },
    resizedBy: resized && owner(adapters, resized),
    values: values?.values ?? new Map(),
    notices: [
      ...checkpoint.warnings,
      ...adapters.flatMap((scaled, i) => [
        ...scaled.adapter.warnings.map(({ message }) => message),
        ...unscaledNotice(scaled, reports[i]!),
      ]),
      ...resolved.notices,
      ...roundingNotices(output),
    ],
  };
}

/** Refuses changes of quantised weights that cannot be stored so again. @throws CapabilityError kind `quantized-base` */
function refuseUnwritable(
  touched: readonly (readonly [string, Change])[],
  values: ValueBase | undefined,
  { operation }: MergeSettings,
): void {
  const refuse = (name: string, why: string): CapabilityError =>
    new CapabilityError(`${name}: ${why}`, {
      kind: "quantized-base",
      tensor: name,
      file: values!.weights.location,
      hint: "store the result in 16 bits: --dtype bf16",
    });
  for (const [name, { replacement }] of touched) {
    const { source, unwritable } = values!.packed.get(name)!;
    if (operation === "unmerge") throw refuse(name, "the weight is quantised, and what a merge rounded away does not come back");
    if (unwritable !== undefined) throw refuse(name, `${unwritable}, so that the merged weight is not stored as the base has it`);
    if (replacement && replacement.shape.join() !== source.shape.join())
      throw refuse(name, `the adapter brings it as [${replacement.shape}], the base has it quantised as [${source.shape}]`);
  }
}

/** FP8 without scales is merged as any float is, but its steps are so large that much of a small change rounds away. */
function roundingNotices({ items }: OutputPlan): string[] {
  const coarse = items.filter(({ dtype, steps }) => dtype.startsWith("F8_") && steps.length > 0);
  if (coarse.length === 0) return [];
  return [
    `${coarse.length} merged weights are stored as ${coarse[0]!.dtype}, whose steps are 1/16 of a value or more: most of a small change rounds away; --dtype bf16 keeps it`,
  ];
}

/** The adapter that a tensor lies in. */
const owner = (adapters: readonly ScaledAdapter[], { file }: TensorLocation): ScaledAdapter =>
  adapters.find(({ adapter }) => [...adapter.weights.names()].some((name) => adapter.weights.info(name).file === file))!;
