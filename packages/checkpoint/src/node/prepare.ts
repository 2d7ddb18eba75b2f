import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import { ConfigError } from "@weft/tensor-core";
import type { WeightSource } from "@weft/io-safetensors";
import type { MatchReport } from "@weft/adapter-files";
import { openAdapters, type ScaledAdapter, type ScaledPath } from "./open-adapters.js";
import { localPath, openBase, openOwnAdapter } from "./open-input.js";
import { unmergedPeft } from "../source/peft-state.js";
import type { Methods } from "./methods.js";
import { type Change, collectChanges } from "../changes/changes.js";
import type { Stored } from "../plan/item.js";
import { type OutputPlan, planOutput } from "../plan/layout.js";
import { type ConfigEdit, folderOf } from "./side-files.js";
import { checkVocabulary, resolveTie } from "../changes/resolve-tie.js";
import { viewBase } from "../changes/view-base.js";
import { unscaledNotice } from "../changes/whole-tensors.js";

/** Options that decide what the output is. */
export interface MergeSettings {
  readonly base: string;
  /** In order. */
  readonly adapters: readonly ScaledPath[];
  /** Of adapters whose files do not say it; one of them at least. */
  readonly alpha?: number | undefined;
  /** Which adapter is meant, of files that hold several. */
  readonly adapterName?: string | undefined;
  readonly dtype: "f32" | "f16" | "bf16" | undefined;
  /** Round as PEFT's `safe_merge` does. */
  readonly safeMerge: boolean;
  /** Adapters compute in f32 whatever their files hold, as PEFT reads them by default. */
  readonly autocastAdapterDtype: boolean;
  readonly unmerge: boolean;
  readonly untie: boolean;
  readonly maxShardSize: number | undefined;
}

/** Everything that is known before the first byte is written. */
export interface Prepared {
  readonly base: WeightSource;
  readonly adapters: readonly ScaledAdapter[];
  readonly reports: readonly MatchReport[];
  readonly plan: OutputPlan;
  /** What computes it. */
  readonly methods: Methods;
  readonly edit: ConfigEdit;
  /** Folder of the adapter whose tokenizer goes with a resized vocabulary. */
  readonly tokenizer: string | undefined;
  readonly notices: readonly string[];
  /** Files that are read. */
  readonly inputs: readonly string[];
  /** Identifies inputs and settings. */
  readonly job: string;
  close(): Promise<void>;
}

/** Opens and matches everything and plans the output; reads headers only. */
export async function prepareMerge(settings: MergeSettings, methods: Methods, signal?: AbortSignal): Promise<Prepared> {
  const opened: WeightSource[] = [];
  const close = async (): Promise<void> => void (await Promise.all(opened.map((source) => source.close())));
  try {
    const { base: checkpoint, state } = await openBase(localPath(settings.base));
    opened.push(checkpoint);
    const adapters: ScaledAdapter[] = [];
    if (state?.adapter && settings.adapters.length > 0) throw unmergedPeft(settings.base, state);
    if (state?.adapter) {
      const adapter = await openOwnAdapter(localPath(settings.base), state, methods, settings.alpha);
      adapters.push({ path: settings.base, adapter, scale: 1 });
    } else if (settings.adapters.length === 0)
      throw new ConfigError(`${settings.base}: which adapter is to be merged?`, {
        kind: "missing-adapter",
        file: settings.base,
        hint: "name it: -a ADAPTER",
      });
    for (const named of await openAdapters(settings.adapters, methods, settings)) {
      opened.push(named.adapter.weights);
      adapters.push(named);
    }
    const { base, tie, quantization, model } = await viewBase(
      checkpoint,
      adapters.map(({ adapter }) => adapter),
    );
    const { changes, reports } = await collectChanges(base, adapters, { ...settings, model, tie, quantization, signal });
    const resolved = await resolveTie(changes as Map<string, Change>, tie, settings.untie);
    checkVocabulary(base, changes, resolved);
    const names = [...base.names(), ...[...changes.keys()].filter((name) => !base.has(name))].filter((name) => name !== resolved.omit);
    const plan = planOutput(base, names, changes, { ...settings, quantization });
    const resized = [...changes].find(([, change]) => change.resized && change.replacement);
    const inputs = [
      ...new Set([...methods.files, ...opened.flatMap((source) => [...source.names()].map((name) => source.info(name).file))]),
    ];
    return {
      base,
      adapters,
      reports,
      plan,
      methods,
      edit: { untie: resolved.untied, vocabulary: resized?.[1].replacement?.shape[0], dtype: settings.dtype },
      tokenizer: resized && folderOf(owner(adapters, resized[1].replacement!).adapter.weights.location),
      notices: [
        ...checkpoint.warnings,
        ...adapters.flatMap((scaled, i) => [
          ...scaled.adapter.warnings.map(({ message }) => message),
          ...unscaledNotice(scaled, reports[i]!),
        ]),
        ...resolved.notices,
        ...roundingNotices(plan),
      ],
      inputs,
      job: jobHash(settings, plan, inputs),
      close,
    };
  } catch (error) {
    await close();
    throw error;
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
const owner = (adapters: readonly ScaledAdapter[], { file }: Stored): ScaledAdapter =>
  adapters.find(({ adapter }) => [...adapter.weights.names()].some((name) => adapter.weights.info(name).file === file))!;

/** Of inputs, settings and layout; no path of the output, no time of the run. */
function jobHash(settings: MergeSettings, plan: OutputPlan, inputs: readonly string[]): string {
  const files = inputs.map((file) => {
    const { size, mtimeMs } = statSync(file);
    return [file, size, mtimeMs];
  });
  const hash = createHash("sha256").update(JSON.stringify([1, settings, files]));
  for (const { file, layout } of plan.shards) hash.update(file).update(layout.header);
  return hash.digest("hex");
}
