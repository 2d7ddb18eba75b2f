import { openSafetensors, type WeightSource } from "@weft/io-safetensors";
import { openAdapter, type OpenedAdapter } from "@weft/adapter-files";
import { CancelledError, ConfigError, type MethodTable } from "@weft/tensor-core";
import type { OnProgress } from "../job-progress.js";
import type { OutputPlan } from "../plan/layout.js";
import { editConfig, parseModelConfig } from "../plan/model-config.js";
import { kindsOf, planJobs } from "../plan/plan-jobs.js";
import { MERGE_DEFAULTS, planMerge, type MergePlan, type MergeSettings } from "../plan/plan-merge.js";
import { createTileBackend } from "../plan/tile-backend.js";
import { TileEngine } from "../run/engine.js";
import { runJob } from "../run/run-job.js";
import { TileMemory } from "../run/tile-memory.js";
import { asBase } from "../source/as-base.js";
import { unmergedPeft } from "../source/peft-state.js";
import type { ScaledAdapter } from "../source/scaled-adapter.js";
import { BlobReader } from "./blob-reader.js";
import { StreamSink } from "./stream-sink.js";

/** Bytes of a tile: what fits the caches of most machines. */
const TILE_BYTES = 1 << 20;

/** What `mergeFiles` merges, how, and where the result goes. */
export interface MergeFilesOptions extends Partial<Omit<MergeSettings, "operation">> {
  /** The checkpoint: its safetensors files with their index, config.json, and what else is to go along (tokenizer). */
  readonly base: Iterable<File>;
  /** Each one safetensors file, with its adapter_config.json where it is PEFT's; their effects add up in order. */
  readonly adapters: readonly { readonly files: Iterable<File>; readonly scale?: number }[];
  readonly methods: MethodTable;
  /**
   * Opens where a file of the output goes. It is closed when the file is complete, and aborted if anything fails before.
   * @param bytes that will be written
   */
  readonly open: (file: string, bytes: number) => WritableStream<Uint8Array> | Promise<WritableStream<Uint8Array>>;
  /** Write NaN and infinite values instead of stopping. */
  readonly allowNonFinite?: boolean;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
}

/** What `mergeFiles` wrote. */
export interface MergeFilesResult {
  /** In the order in which they were written: the index comes last. */
  readonly files: readonly { readonly name: string; readonly bytes: number }[];
  /** Tensors of the output, and those of them that an adapter changes. */
  readonly tensors: number;
  readonly merged: number;
  readonly notices: readonly string[];
}

/**
 * Merges adapters into a checkpoint that a page has as Files, and writes it into streams: files of the origin's private file system
 * (`await handle.createWritable()`, which appear when they are closed), downloads, or what else is a WritableStream. Two tiles of a tensor are in memory at a
 * time, and its parameters. The bytes are those that `mergeCheckpoint` writes in Node. Call it in a worker: it computes on the thread that calls.
 * @throws FormatError, ConfigError, MatchError, ShapeError, CapabilityError, IoError, CancelledError
 */
export async function mergeFiles(options: MergeFilesOptions): Promise<MergeFilesResult> {
  const { methods, signal } = options;
  const settings: MergeSettings = { ...MERGE_DEFAULTS, ...given(options) };
  const blobs = new Map<string, Blob>();
  const opened: WeightSource[] = [];
  try {
    const base = [...options.base];
    const [weights, others] = [base.filter(isWeights), base.filter((file) => !isWeights(file))];
    for (const file of weights) blobs.set(file.name, file);
    const { base: checkpoint, state } = asBase(await openSafetensors(weights), "base");
    opened.push(checkpoint);
    if (state?.adapter) throw unmergedPeft(checkpoint.location, state);
    const adapters: ScaledAdapter[] = [];
    for (const [i, { files, scale = 1 }] of options.adapters.entries()) {
      const adapter = await openAdapterFiles([...files], i, methods, blobs);
      opened.push(adapter.weights);
      adapters.push({ path: adapter.weights.location, adapter, scale });
    }
    if (adapters.length === 0)
      throw new ConfigError("which adapter is to be merged?", { kind: "missing-adapter", hint: "give one at least in `adapters`" });
    const config = others.find(({ name }) => name === "config.json");
    const text = await config?.text();
    const model = text === undefined ? undefined : parseModelConfig(text, "config.json");
    const files = new BlobReader(blobs);
    const plan = await planMerge(checkpoint, adapters, settings, { model, files, signal });
    const written = await writeShards(plan, files, options);
    for (const file of others) {
      const content = file === config ? new Blob([editConfig(text!, plan.edit, "config.json")]) : file;
      written.push(await writeBlob(file.name, content, options));
    }
    const { index, items } = plan.output;
    if (index) written.push(await writeBlob(index.name, new Blob([index.text]), options));
    return { files: written, tensors: items.length, merged: items.filter(({ steps }) => steps.length > 0).length, notices: plan.notices };
  } finally {
    await Promise.all(opened.map((source) => source.close()));
  }
}

/** Settings that are not left out. */
const given = ({ dtype, safeMerge, autocastAdapterDtype, untie, maxShardSize }: MergeFilesOptions): Partial<MergeSettings> =>
  Object.fromEntries(
    Object.entries({ dtype, safeMerge, autocastAdapterDtype, untie, maxShardSize }).filter(([, value]) => value !== undefined),
  );

const isWeights = ({ name }: File): boolean => name.endsWith(".safetensors") || name.endsWith(".safetensors.index.json");

async function openAdapterFiles(
  files: readonly File[],
  number: number,
  methods: MethodTable,
  blobs: Map<string, Blob>,
): Promise<OpenedAdapter> {
  const tensors = files.filter(({ name }) => name.endsWith(".safetensors"));
  const config = files.find(({ name }) => name === "adapter_config.json");
  const [file] = tensors;
  if (!file || tensors.length > 1)
    throw new ConfigError(
      `adapter ${number}: expected one .safetensors file, got ${tensors.map(({ name }) => name).join(", ") || "none"}`,
      {
        kind: "missing-adapter",
      },
    );
  // Adapters may have one name.
  const own = new File([file], `adapter ${number}/${file.name}`);
  blobs.set(own.name, own);
  return openAdapter({ weights: await openSafetensors(own), ...(config && { config: await config.text() }) }, { methods });
}

/** Writes the files with tensors, one after the other. */
async function writeShards(
  { output }: MergePlan,
  files: BlobReader,
  options: MergeFilesOptions,
): Promise<{ readonly name: string; readonly bytes: number }[]> {
  const { methods, open, allowNonFinite = false, signal, onProgress } = options;
  const written: { readonly name: string; readonly bytes: number }[] = [];
  const backend = await createTileBackend();
  try {
    const plans = planJobs(kindsOf(output.items), methods, TILE_BYTES, false, (call) => backend.claims(call));
    const engine = new TileEngine(backend, plans, false);
    const memory = new TileMemory(backend);
    let done = 0;
    for (const [shard, { file, layout }] of output.shards.entries()) {
      const sink = new StreamSink(await open(file, layout.size));
      const progress = (bytes: number): void => onProgress?.({ phase: "merge", done: (done += bytes), total: output.bytes, item: file });
      const stopped = (): boolean => signal?.aborted ?? false;
      const context = { backend, engine, files, sink, tileBytes: TILE_BYTES, allowNonFinite, stats: false, stopped, progress };
      try {
        await sink.append(layout.header);
        for (const job of inFileOrder(output, shard)) await runJob(job, context, memory);
        if (stopped()) throw new CancelledError("stopped");
        await sink.close();
      } catch (error) {
        await memory.idle().catch(() => {});
        await sink.abort(error);
        throw error;
      }
      written.push({ name: file, bytes: layout.size });
    }
    return written;
  } finally {
    backend.dispose();
  }
}

const inFileOrder = ({ items }: OutputPlan, shard: number): OutputPlan["items"] =>
  items.filter((job) => job.shard === shard).sort((a, b) => a.offset - b.offset || a.bytes - b.bytes);

async function writeBlob(
  name: string,
  blob: Blob,
  { open }: MergeFilesOptions,
): Promise<{ readonly name: string; readonly bytes: number }> {
  await blob.stream().pipeTo(await open(name, blob.size));
  return { name, bytes: blob.size };
}
