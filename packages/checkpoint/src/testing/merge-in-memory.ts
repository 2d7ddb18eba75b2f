import { createHash } from "node:crypto";
import type { WasmBackend } from "@weft/kernels-wasm";
import { ADAPTER_METHODS } from "@weft/methods";
import { FileSet } from "../node/file-set.js";
import { type MergeJobOptions, mergeInput } from "../node/merge-options.js";
import { prepareMerge, type PreparedMerge } from "../node/prepare.js";
import { kindsOf, planJobs } from "../plan/plan-jobs.js";
import type { TensorJob } from "../plan/tensor-job.js";
import { TileEngine } from "../run/engine.js";
import { runJob } from "../run/run-job.js";
import { TileMemory } from "../run/tile-memory.js";

/** A merge with its files open. */
export const prepared = (options: Omit<MergeJobOptions, "methods">): Promise<PreparedMerge> =>
  prepareMerge(mergeInput("merge", { ...options, methods: ADAPTER_METHODS }), { methods: ADAPTER_METHODS });

/** The bytes of a tensor, computed in tiles of about a size. */
export async function computeJob(
  backend: WasmBackend,
  files: FileSet,
  job: TensorJob,
  tileBytes: number,
): Promise<{ bytes: Buffer; tiles: number }> {
  const bytes = Buffer.alloc(job.bytes);
  let tiles = 0;
  const sink = {
    async write(_: TensorJob, memory: Uint8Array, start: number, length: number, at: number): Promise<void> {
      tiles++;
      bytes.set(memory.subarray(start, start + length), at);
    },
  };
  const plans = planJobs(kindsOf([job]), ADAPTER_METHODS, tileBytes, true, (call) => backend.claims(call));
  const engine = new TileEngine(backend, plans, true);
  const run = { tileBytes, allowNonFinite: false, stats: true, stopped: () => false, progress: () => {} };
  const { sha256 } = await runJob(
    job,
    { backend, engine, files, sink, hasher: () => createHash("sha256"), ...run },
    new TileMemory(backend),
  );
  if (sha256 !== createHash("sha256").update(bytes).digest("hex")) throw new Error(`${job.name}: its hash is of other bytes`);
  return { bytes, tiles };
}

/** The tensors that a merge would write, without the threads and files around it. */
export async function mergeInMemory(
  backend: WasmBackend,
  options: Omit<MergeJobOptions, "methods">,
): Promise<Map<string, { readonly dtype: string; readonly bytes: Buffer }>> {
  const merge = await prepared(options);
  const files = new FileSet();
  try {
    const result = new Map<string, { dtype: string; bytes: Buffer }>();
    for (const job of merge.output.items) {
      const { bytes } = await computeJob(backend, files, job, 1 << 20);
      result.set(job.name, { dtype: job.dtype, bytes });
    }
    return result;
  } finally {
    await files.close();
    await merge.close();
  }
}
