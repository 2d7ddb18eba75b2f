import { availableParallelism } from "node:os";
import { MERGE_DEFAULTS, type MergeSettings } from "../plan/plan-merge.js";
import { enableRelaxedSimd } from "@weft/kernels-wasm/node";
import { planMemory, type Resources } from "../plan/plan-memory.js";
import { createTileBackend } from "../plan/tile-backend.js";
import type { OnProgress } from "../job-progress.js";
import type { ScaledPath } from "../source/scaled-adapter.js";
import { valueBytes } from "../quantize/value-bytes.js";
import type { MergeInput, MergeMethods, PreparedMerge } from "./prepare.js";

/** An adapter's path, at full strength, or with a factor on its effect. */
export type AdapterInput = string | { readonly path: string; readonly scale?: number };

/** How much of the machine a job may take. */
export interface ResourceOptions {
  /** Threads; as many as cores, at most 8, if not given. */
  readonly jobs?: number | undefined;
  /** Bytes that the program may take: 256 MB if not given. */
  readonly maxMemory?: number | undefined;
}

/** What is merged, by which methods and with which resources: what all jobs over a merge have in common. */
export interface MergeJobOptions extends MergeMethods, ResourceOptions, Partial<Omit<MergeSettings, "operation">> {
  /** Checkpoint: folder, index, file, or `hf:user/repo` in the hub's cache. */
  readonly base: string;
  /** Folders or files; their effects add up in order. Without one the base must be a model that was saved unmerged, and its own is merged. */
  readonly adapters?: readonly AdapterInput[];
  /** Alpha of those adapters whose files do not say it. */
  readonly alpha?: number | undefined;
  /** Which adapter is meant, of files that hold several. */
  readonly adapterName?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
}

const scaledPath = (adapter: AdapterInput): ScaledPath =>
  typeof adapter === "string" ? { path: adapter, scale: 1 } : { path: adapter.path, scale: adapter.scale ?? 1 };

/** What decides the output, with defaults filled in and nothing else. */
export function mergeInput(operation: MergeSettings["operation"], options: MergeJobOptions): MergeInput {
  const { base, adapters = [], alpha, adapterName, dtype, maxShardSize } = options;
  return {
    base,
    adapters: adapters.map(scaledPath),
    alpha,
    adapterName,
    operation,
    dtype,
    safeMerge: options.safeMerge ?? MERGE_DEFAULTS.safeMerge,
    autocastAdapterDtype: options.autocastAdapterDtype ?? MERGE_DEFAULTS.autocastAdapterDtype,
    untie: options.untie ?? MERGE_DEFAULTS.untie,
    maxShardSize,
  };
}

/**
 * Threads, tiles and plans of a run.
 * @param rank of the LoRA that is made of what storing in few bits loses
 * @throws CapabilityError kind `memory-limit`
 */
export async function planResources(
  { output, methods, values }: Pick<PreparedMerge, "output" | "methods" | "values">,
  { jobs = Math.min(8, availableParallelism()), maxMemory = 256e6 }: ResourceOptions,
  stats: boolean,
  rank?: number,
): Promise<Resources> {
  // Before any engine: fused multiply-add gives other bits.
  enableRelaxedSimd();
  const backend = await createTileBackend();
  try {
    const beside = Math.max(0, ...output.items.map((job) => valueBytes(job, values, rank)));
    return planMemory(output.items, methods, { maxMemory, jobs, stats, beside, claims: (call) => backend.claims(call) });
  } finally {
    backend.dispose();
  }
}
