import { existsSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { availableParallelism } from "node:os";
import { CancelledError, ConfigError } from "@weft/tensor-core";
import { writeFileAtomic } from "@weft/io-safetensors/node";
import { describeReport } from "@weft/adapter-files";
import { type Command, type Context, EXIT } from "../context.js";
import {
  checkPlace,
  checkReport,
  copyOthers,
  doneAlready,
  folderOf,
  isPipeline,
  type ItemResult,
  localPath,
  type MergeSettings,
  openBase,
  otherFiles,
  OutputFolder,
  pipelineParts,
  planMemory,
  type Prepared,
  prepareMerge,
  refuseAnother,
  refuseOthers,
  type Resources,
  runWorkers,
  shardDigest,
  type SideFile,
  sideFiles,
  writeReport,
  writeSideFiles,
} from "@weft/checkpoint/node";
import { parseScaledPath } from "../files/scaled-path.js";
import { formatBytes } from "@weft/checkpoint/format";
import { formatSeconds, Progress } from "../progress.js";
import { peakMemory } from "../peak-memory.js";

export interface MergeOptions {
  readonly adapter: readonly string[];
  readonly alpha?: number;
  readonly adapterName?: string;
  readonly out: string;
  readonly dtype?: "f32" | "f16" | "bf16";
  readonly maxMemory: number;
  readonly maxShardSize?: number;
  readonly safe?: boolean;
  readonly autocastAdapterDtype?: boolean;
  readonly allowNonfinite?: boolean;
  readonly untie?: boolean;
  readonly report?: string;
}

/** `weft merge BASE -a ADAPTER[:scale] … -o OUT`. */
export const merge: Command<MergeOptions> = ([base], options, context) =>
  runMerge({ ...settingsOf(base, options), unmerge: false }, options, context, "merge");

export function settingsOf(
  base: string,
  {
    adapter,
    alpha,
    adapterName,
    dtype,
    safe,
    autocastAdapterDtype,
    untie,
    maxShardSize,
  }: Pick<MergeOptions, "adapter" | "alpha" | "adapterName" | "dtype" | "safe" | "autocastAdapterDtype" | "untie" | "maxShardSize">,
): MergeSettings {
  return {
    base,
    adapters: adapter.map(parseScaledPath),
    alpha,
    adapterName,
    dtype,
    safeMerge: safe ?? false,
    autocastAdapterDtype: autocastAdapterDtype ?? true,
    unmerge: false,
    untie: untie ?? true,
    maxShardSize,
  };
}

/** Threads and tile size of a run. */
export const resourcesOf = (
  { plan, methods }: Prepared,
  { maxMemory, report }: Pick<MergeOptions, "maxMemory" | "report">,
  { options }: Context,
): Promise<Resources> =>
  planMemory(plan.items, methods.table, maxMemory, options.jobs ?? Math.min(8, availableParallelism()), report !== undefined);

/** One checkpoint, or those models of a pipeline that the adapters are for; the rest of it goes along. */
export async function runMerge(settings: MergeSettings, options: MergeOptions, context: Context, verb: string): Promise<number> {
  if (!isPipeline(settings.base)) return mergeOne(settings, options, context, verb);
  const { base } = settings;
  checkPlace(options.out, [base]);
  const parts = await pipelineParts(settings, await context.methods());
  const others = otherFiles(base, new Set(parts.keys()));
  if (!context.options.force) refuseOthers(base, others, options.out);
  // Nothing is written before all parts are known to fit.
  for (const own of parts.values()) await (await prepareMerge(own, await context.methods(), context.signal)).close();
  for (const [part, own] of parts) {
    const report = options.report && join(dirname(options.report), `${part}-${basename(options.report)}`);
    await mergeOne(own, { ...options, out: join(options.out, part), ...(report !== undefined && { report }) }, context, verb);
  }
  const { dryRun } = context.options;
  if (!dryRun) copyOthers(base, others, options.out);
  context.out.result({ ...(dryRun && { dryRun }), out: options.out, parts: [...parts.keys()], copied: others.length }, () =>
    dryRun
      ? `would copy ${others.length} other files of ${base}`
      : `✓ ${options.out}: ${[...parts.keys()].join(", ")}; ${others.length} other files as they were`,
  );
  return EXIT.done;
}

async function mergeOne(settings: MergeSettings, options: MergeOptions, context: Context, verb: string): Promise<number> {
  const started = performance.now();
  await refuseEarly(settings, options, context);
  const prepared = await prepareMerge(settings, await context.methods(), context.signal);
  try {
    const { plan } = prepared;
    const resources = await resourcesOf(prepared, options, context);
    describe(prepared, settings, resources, context, verb);
    const side = sideFiles(folderOf(prepared.base.location), prepared.edit, prepared.tokenizer);
    const summary = {
      out: options.out,
      files: plan.shards.map(({ file, layout }) => ({ name: file, bytes: layout.size })),
      tensors: plan.items.length,
      merged: plan.items.filter((item) => item.steps.length > 0).length,
      bytes: plan.bytes,
      notices: prepared.notices,
    };
    if (context.options.dryRun) {
      context.out.result({ dryRun: true, ...summary, ...resources }, () =>
        [
          ...plan.shards.map(({ file, layout }) => `would write ${join(options.out, file)}  ${formatBytes(layout.size)}`),
          ...(resources.onePiece.length > 0 ? [inOnePiece(resources)] : []),
          `${resources.jobs} threads, tiles of ${formatBytes(resources.tileBytes)}`,
        ].join("\n"),
      );
      return EXIT.done;
    }
    const { results, digests, resumed, doneBefore } = await writeOrFind(prepared, side, options, resources, context, verb);
    const seconds = (performance.now() - started) / 1000;
    const peak = peakMemory();
    if (options.report !== undefined) await writeReport(options.report, prepared, resources, results, digests);
    context.out.result({ ...summary, resumed, doneBefore, seconds: Number(seconds.toFixed(3)), peakRss: peak }, () => {
      const files = plan.shards.map(({ file, layout }) => `✓ ${join(options.out, file)}  ${formatBytes(layout.size)}`);
      if (doneBefore) return [...files, `done already: ${options.out} holds exactly this, bit for bit`].join("\n");
      return [
        ...files,
        `${summary.merged} of ${plan.items.length} tensors ${verb}d in ${formatSeconds(seconds)}, peak memory ${formatBytes(peak)}${resumed > 0 ? `; ${resumed} of ${files.length} files were done already` : ""}`,
      ].join("\n");
    });
    return EXIT.done;
  } finally {
    await prepared.close();
  }
}

/** What is known to be refused before adapters are opened and initialisations decomposed. */
async function refuseEarly(
  { base, adapters, maxShardSize }: MergeSettings,
  { out, report }: MergeOptions,
  { options }: Context,
): Promise<void> {
  const inputs = [base, ...adapters.map(({ path }) => path)];
  checkPlace(out, inputs);
  checkReport(report, inputs);
  if (options.force || !existsSync(out)) return;
  const { base: weights } = await openBase(localPath(base));
  const files = new Set([...weights.names()].map((name) => basename(weights.info(name).file)));
  await weights.close();
  refuseAnother(out, maxShardSize === undefined ? files : undefined);
}

function describe(
  { adapters, reports, plan, notices }: Prepared,
  settings: MergeSettings,
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
  const narrow = new Set(plan.items.flatMap(({ steps, dtype }) => (steps.length > 0 && dtype !== "F32" ? [dtype.toLowerCase()] : [])));
  if (settings.unmerge && narrow.size > 0)
    out.note(`unmerging subtracts in the weights' dtype: in ${[...narrow].join(" and ")} the result is near the base, not equal to it`);
  out.note(
    `${verb} ${settings.base}: ${plan.shards.length} ${plan.shards.length === 1 ? "file" : "files"}, ${formatBytes(plan.bytes)}, ${resources.jobs} ${resources.jobs === 1 ? "thread" : "threads"}`,
  );
  if (resources.onePiece.length > 0) out.note(inOnePiece(resources));
}

const inOnePiece = ({ onePiece: [first, ...others] }: Resources): string =>
  `computed in one piece, as their rows depend on each other: ${first}${others.length > 0 ? ` and ${others.length} more` : ""}`;

interface Written {
  readonly results: ReadonlyMap<string, ItemResult>;
  readonly digests: ReadonlyMap<string, string>;
  /** Files that an earlier run had finished. */
  readonly resumed: number;
  /** Nothing was written: all of it was there. */
  readonly doneBefore: boolean;
}

/** Writes the output; where that may not be replaced because it is there, it may be just what would be written. */
async function writeOrFind(
  prepared: Prepared,
  side: readonly SideFile[],
  options: MergeOptions,
  resources: Resources,
  context: Context,
  verb: string,
): Promise<Written> {
  try {
    return await write(prepared, side, options, resources, context, verb);
  } catch (error) {
    if (!(error instanceof ConfigError && error.kind === "exists")) throw error;
    const { plan } = prepared;
    const progress = new Progress(context.out, "compare", plan.bytes);
    const results = await doneAlready(options.out, plan, side, {
      methodFiles: prepared.methods.files,
      jobs: resources.jobs,
      tileBytes: resources.tileBytes,
      allowNonFinite: options.allowNonfinite ?? false,
      stats: options.report !== undefined,
      signal: context.signal,
      onProgress: (bytes) => progress.update(bytes),
    }).finally(() => progress.end());
    if (!results) throw error;
    const hashes = new Map([...results].map(([name, { sha256 }]) => [name, sha256]));
    const digests = new Map(plan.shards.map(({ file, layout }) => [file, shardDigest(layout.header, layout, hashes)]));
    return { results, digests, resumed: 0, doneBefore: true };
  }
}

async function write(
  prepared: Prepared,
  side: readonly SideFile[],
  options: MergeOptions,
  { jobs, tileBytes }: Resources,
  { options: { force }, out, signal }: Context,
  verb: string,
): Promise<Written> {
  const { plan } = prepared;
  const folder = await OutputFolder.open(
    options.out,
    plan,
    side.map(({ name }) => name),
    { force, job: prepared.job, inputs: prepared.inputs },
  );
  const results = new Map<string, ItemResult>();
  const digests = new Map<string, string>();
  const progress = new Progress(out, verb, plan.bytes);
  const resumed = folder.finished.size;
  try {
    const outputs = folder.begin();
    for (const { name } of side) folder.note(name);
    await writeSideFiles(side, folder.path);
    const items = plan.items.filter(({ shard }) => !folder.finished.has(shard));
    const open = new Map<number, number>();
    for (const { shard } of items) open.set(shard, (open.get(shard) ?? 0) + 1);
    const hashes = new Map<string, string>();
    await runWorkers({
      items,
      methodFiles: prepared.methods.files,
      outputs,
      jobs,
      tileBytes,
      allowNonFinite: options.allowNonfinite ?? false,
      stats: options.report !== undefined,
      signal,
      async onItem(index, result) {
        const { name, shard } = items[index]!;
        results.set(name, result);
        hashes.set(name, result.sha256);
        open.set(shard, open.get(shard)! - 1);
        if (open.get(shard) === 0) digests.set(plan.shards[shard]!.file, await folder.commit(shard, hashes));
      },
      onProgress: (bytes) => progress.update(bytes),
    });
    // A file without tensors has no item that would complete it.
    for (const [i, { layout }] of plan.shards.entries())
      if (layout.tensors.length === 0 && !folder.finished.has(i)) await folder.commit(i, hashes);
    if (plan.index) {
      folder.note(plan.index.name);
      await writeFileAtomic(join(folder.path, plan.index.name), plan.index.text);
    }
    if (signal.aborted) throw new CancelledError("stopped");
    folder.finish();
    return { results, digests, resumed, doneBefore: false };
  } catch (error) {
    // Stopped on request: finished files stay, so that the same command goes on from there.
    folder.abandon(!(error instanceof CancelledError));
    throw error instanceof CancelledError
      ? new CancelledError("stopped", { hint: "the same command goes on from the files that are finished" })
      : folder.named(error);
  } finally {
    progress.end();
  }
}
