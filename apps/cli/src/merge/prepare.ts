import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import type { Rounding } from "@weft/tensor-core";
import type { WeightSource } from "@weft/io-safetensors";
import type { MatchReport } from "@weft/registry";
import { localPath, openAdapterAt, openCheckpoint } from "../files/open-input.js";
import { parseScaledPath } from "../files/scaled-path.js";
import { type Change, collectChanges, type ScaledAdapter } from "./changes.js";
import type { Stored } from "./item.js";
import { type OutputPlan, planOutput } from "./layout.js";
import { type ConfigEdit, folderOf, readModelConfig } from "./side-files.js";
import { findTie, type Tie, withAlias } from "./tied.js";

/** Options that decide what the output is. */
export interface MergeSettings {
  readonly base: string;
  /** `path` or `path:scale`, in order. */
  readonly adapters: readonly string[];
  /** Of adapters whose files do not say it. */
  readonly alpha?: number | undefined;
  readonly dtype: "f32" | "f16" | "bf16" | undefined;
  readonly rounding: Rounding;
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
export async function prepareMerge(settings: MergeSettings, signal?: AbortSignal): Promise<Prepared> {
  const opened: WeightSource[] = [];
  const close = async (): Promise<void> => void (await Promise.all(opened.map((source) => source.close())));
  try {
    const checkpoint = await openCheckpoint(localPath(settings.base));
    opened.push(checkpoint);
    const adapters: ScaledAdapter[] = [];
    for (const text of settings.adapters) {
      const { path, scale } = parseScaledPath(text);
      const adapter = await openAdapterAt(path, { alpha: settings.alpha });
      opened.push(adapter.weights);
      adapters.push({ path, adapter, scale });
    }
    const folder = folderOf(checkpoint.location);
    const touches = (name: string): boolean =>
      adapters.some(
        ({ adapter }) =>
          [...adapter.modules.values()].some(({ path }) => `${path}.weight` === name) ||
          adapter.modulesToSave.has(name) ||
          adapter.embeddings.has(name),
      );
    const tie = findTie(checkpoint, readModelConfig(folder), touches);
    const base = withAlias(checkpoint, tie);
    const { changes, reports } = await collectChanges(base, adapters, { ...settings, signal });
    const resolved = resolveTie(changes as Map<string, Change>, tie, settings.untie);
    const names = [...base.names(), ...[...changes.keys()].filter((name) => !base.has(name))].filter((name) => name !== resolved.omit);
    const plan = planOutput(base, names, changes, settings);
    const resized = [...changes].find(([, change]) => change.resized && change.replacement);
    const inputs = [...new Set(opened.flatMap((source) => [...source.names()].map((name) => source.info(name).file)))];
    return {
      base,
      adapters,
      reports,
      plan,
      edit: { untie: resolved.untied, vocabulary: resized?.[1].replacement?.shape[0], dtype: settings.dtype },
      tokenizer: resized && folderOf(owner(adapters, resized[1].replacement!).adapter.weights.location),
      notices: [...checkpoint.warnings, ...adapters.flatMap(({ adapter }) => adapter.warnings), ...resolved.notices],
      inputs,
      job: jobHash(settings, plan, inputs),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The adapter that a tensor lies in. */
const owner = (adapters: readonly ScaledAdapter[], { file }: Stored): ScaledAdapter =>
  adapters.find(({ adapter }) => [...adapter.weights.names()].some((name) => adapter.weights.info(name).file === file))!;

/**
 * Decides what becomes of tied embeddings. Trained token rows and resized vocabularies hold for both; anything else that changes one of
 * the two only is right for that one, so the output gets both.
 */
function resolveTie(
  changes: Map<string, Change>,
  tie: Tie | undefined,
  untie: boolean,
): { untied: boolean; omit: string | undefined; notices: string[] } {
  if (!tie) return { untied: false, omit: undefined, notices: [] };
  const [embedding, head] = [changes.get(tie.embedding), changes.get(tie.head)];
  const own = (change: Change | undefined): boolean =>
    change !== undefined && (change.steps.length > 0 || (change.replacement !== undefined && !change.resized));
  const separate = own(embedding) || own(head);
  if (separate && untie) {
    const changed = [...(embedding ? [tie.embedding] : []), ...(head ? [tie.head] : [])].join(" and ");
    return {
      untied: true,
      omit: undefined,
      notices: [
        `tied embeddings: ${changed} changed, so the output holds ${tie.embedding} and ${tie.head}, and config.json says tie_word_embeddings: false (--no-untie changes both, as PEFT does)`,
      ],
    };
  }
  const shared = embedding ?? head;
  if (embedding && head) shared!.steps.push(...head.steps);
  if (shared) {
    changes.set(tie.embedding, shared);
    if (tie.aliased) changes.delete(tie.head);
    else changes.set(tie.head, shared);
  }
  return {
    untied: false,
    omit: tie.aliased ? tie.head : undefined,
    notices: separate ? [`tied embeddings: ${tie.embedding} and ${tie.head} are changed together`] : [],
  };
}

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
