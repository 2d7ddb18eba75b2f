import { readFileSync, existsSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fromCoreDType, layoutFile, type LocatedTensor, parseDType, type PlacedTensor, planShards, type SafetensorsDType, type ShardPlan, type TensorEntry, toCoreDType, type WeightSource } from "@weft/io-safetensors";
import { openWeights } from "@weft/io-safetensors/node";
import { assertMatch, type AdapterTensor, matchAdapter, type MatchedModule, type MatchReport, type OpenedAdapter } from "@weft/registry";
import { openAdapterFolder } from "@weft/registry/node";
import { CapabilityError, ConfigError, type DType, isFloat, MatchError } from "@weft/tensor-core";
import type { MergeOptions } from "./options.js";

/** One thing that an adapter does to a tensor of the base. */
export type Change =
  | { readonly kind: "weight" | "bias"; readonly adapter: number; readonly module: MatchedModule }
  | { readonly kind: "replace"; readonly adapter: number; readonly tensor: AdapterTensor }
  | { readonly kind: "tokens"; readonly adapter: number; readonly tensor: AdapterTensor; readonly indices: readonly number[] };

/** A tensor of the output and how it comes about. */
export interface TensorJob {
  readonly name: string;
  /** Tensor of the base that it starts from; undefined for one that only an adapter has. */
  readonly source: LocatedTensor | undefined;
  readonly changes: readonly Change[];
  readonly entry: TensorEntry;
}

/** A file of the output. */
export interface OutputFile {
  readonly name: string;
  readonly header: Uint8Array;
  readonly size: number;
  readonly tensors: readonly (PlacedTensor & { readonly job: TensorJob })[];
}

export interface Prepared {
  readonly base: WeightSource;
  /** Folder of the base, where its config and tokenizer lie. */
  readonly folder: string;
  readonly adapters: readonly OpenedAdapter[];
  readonly reports: readonly MatchReport[];
  readonly files: readonly OutputFile[];
  /** What the index says; undefined if the output is one file. */
  readonly shards: ShardPlan | undefined;
  /** The output has weights of its own for both embeddings. */
  readonly untied: boolean;
  readonly warnings: readonly string[];
  close(): Promise<void>;
}

const EMBEDDING = /(^|\.)(embed_tokens|wte|word_embeddings)\.weight$/;
const HEAD = "lm_head.weight";

/** Reads headers and configs, matches every adapter, and lays out the output. Deterministic: every thread that does it gets the same. */
export async function prepareMerge(options: MergeOptions): Promise<Prepared> {
  const base = await openWeights(options.base);
  const opened: OpenedAdapter[] = [];
  const close = async (): Promise<void> => void (await Promise.all([base.close(), ...opened.map((a) => a.weights.close())]));
  try {
    for (const { path } of options.adapters) opened.push(await openAdapterFolder(path));
    const folder = statSync(options.base).isDirectory() ? options.base : dirname(options.base);
    return { ...plan(base, folder, opened, options), base, folder, adapters: opened, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function plan(base: WeightSource, folder: string, adapters: readonly OpenedAdapter[], options: MergeOptions): Pick<Prepared, "reports" | "files" | "shards" | "untied" | "warnings"> {
  const tiedTo = tiedEmbedding(base, folder);
  // A tied head has no tensor in the file, but adapters know it.
  const view = { names: () => (tiedTo ? [...base.names(), HEAD] : base.names()), info: (name: string) => base.info(name === HEAD && tiedTo ? tiedTo : name) };
  const warnings = [...base.warnings, ...adapters.flatMap((a) => a.warnings)];
  const changes = new Map<string, Change[]>();
  const add = (name: string, change: Change): void => void changes.set(name, [...(changes.get(name) ?? []), change]);
  const added = new Map<string, TensorEntry>();
  const reports = adapters.map((adapter, i) => {
    const report = matchAdapter(adapter, view);
    if (report.ambiguous.length > 0 && report.matched.length === 0) throw new MatchError(`${adapter.weights.location}: its modules fit the base in several ways`, { kind: "ambiguous" });
    assertMatch(report, adapter);
    for (const { name, tensor } of report.replaced) {
      add(name, { kind: "replace", adapter: i, tensor });
      added.set(name, { name, dtype: parseDType(tensor.dtype)!, shape: tensor.shape });
    }
    for (const module of report.matched) {
      if (!module.layer) throw new CapabilityError(`${module.weight}: ${adapter.method} cannot be merged into a weight of dtype ${view.info(module.weight).dtype}`, { tensor: module.weight });
      add(module.weight, { kind: "weight", adapter: i, module });
      if (module.tensors.has("bias")) {
        if (!module.bias) throw new CapabilityError(`${module.path}: the adapter has a bias, but the base layer has none to merge it into`, { kind: "no-bias", tensor: module.path });
        add(module.bias, { kind: "bias", adapter: i, module });
      }
    }
    for (const { weight, tensor } of report.tokens) add(weight, { kind: "tokens", adapter: i, tensor, indices: tokenIndices(adapter, weight, tensor) });
    return report;
  });

  const changed = (name: string | undefined): boolean => name !== undefined && changes.has(name);
  const separate = tiedTo !== undefined && changed(tiedTo) !== changed(HEAD);
  if (tiedTo && !options.untie) for (const change of changes.get(HEAD) ?? []) add(tiedTo, change);
  const untied = options.untie && separate;
  if (tiedTo && !untied) changes.delete(HEAD);

  const jobs = new Map<string, TensorJob>();
  for (const name of base.names()) jobs.set(name, tensorJob(name, base.info(name), changes.get(name) ?? [], added.get(name), options));
  if (untied) jobs.set(HEAD, tensorJob(HEAD, base.info(tiedTo!), changes.get(HEAD) ?? [], added.get(HEAD), options));
  for (const [name, entry] of added) if (!jobs.has(name)) jobs.set(name, { name, source: undefined, changes: changes.get(name)!, entry });

  const shards = shardsOf(base, jobs, options, tiedTo);
  const metadata = base.metadata.size > 0 ? base.metadata : new Map([["format", "pt"]]);
  const files = [...shards].map(([name, entries]): OutputFile => {
    const { header, size, tensors } = layoutFile(entries, metadata);
    return { name, header, size, tensors: tensors.map((t) => ({ ...t, job: jobs.get(t.name)! })) };
  });
  return { reports, files, shards: shards.size > 1 || base.location.endsWith(".index.json") ? shards : undefined, untied, warnings };
}

/** The embedding that a head without tensor is tied to. */
function tiedEmbedding(base: WeightSource, folder: string): string | undefined {
  const file = join(folder, "config.json");
  if (base.has(HEAD) || !existsSync(file)) return undefined;
  const config = JSON.parse(readFileSync(file, "utf8")) as { tie_word_embeddings?: boolean };
  return config.tie_word_embeddings === true ? [...base.names()].find((name) => EMBEDDING.test(name)) : undefined;
}

function tokenIndices(adapter: OpenedAdapter, weight: string, tensor: AdapterTensor): readonly number[] {
  const field = (adapter.config.values as { trainableTokenIndices?: readonly number[] | { readonly [name: string]: readonly number[] } | null }).trainableTokenIndices;
  const path = weight.slice(0, -".weight".length);
  const listed = Array.isArray(field) ? (field as readonly number[]) : Object.entries(field ?? {}).find(([key]) => path === key || path.endsWith(`.${key}`))?.[1];
  if (!listed || listed.length !== tensor.shape[0]) throw new ConfigError(`${path}: the file holds ${tensor.shape[0]} trained tokens, the config lists ${listed?.length ?? "none"}`, { kind: "config-mismatch", tensor: tensor.name });
  return listed;
}

function tensorJob(name: string, source: LocatedTensor, changes: readonly Change[], replaced: TensorEntry | undefined, { dtype }: MergeOptions): TensorJob {
  const shape = replaced?.shape ?? source.shape;
  return { name, source, changes, entry: { name, dtype: outputDType(source.dtype, dtype), shape } };
}

/** Floats that can be computed with get the dtype asked for; everything else stays. */
function outputDType(stored: SafetensorsDType, wanted: DType | undefined): SafetensorsDType {
  const core = toCoreDType(stored);
  return wanted && core && isFloat(core) ? fromCoreDType(wanted) : stored;
}

/** Which tensor goes into which file: as the base's, or cut anew. */
function shardsOf(base: WeightSource, jobs: ReadonlyMap<string, TensorJob>, { maxShardSize }: MergeOptions, tiedTo: string | undefined): ShardPlan {
  const entries = [...jobs.values()].map((j) => j.entry);
  if (maxShardSize !== undefined) return planShards(entries, maxShardSize);
  const files = new Map<string, TensorEntry[]>();
  const last = basename([...base.names()].map((n) => base.info(n).file).sort().at(-1) ?? "model.safetensors");
  for (const entry of entries) {
    const { source } = jobs.get(entry.name)!;
    const file = basename(source?.file ?? (tiedTo ? base.info(tiedTo).file : last)).replace(/^adapter_model\./, "model.");
    files.set(file, [...(files.get(file) ?? []), entry]);
  }
  return files;
}
