import { join } from "node:path";
import type { SafetensorsDType } from "@weft/io-safetensors";
import { extractedModule, withComponents } from "@weft/convert";
import type { OnProgress } from "../../job-progress.js";
import type { Resources } from "../../plan/plan-memory.js";
import type { TensorJob, TensorLocation } from "../../plan/tensor-job.js";
import { addLoss, type MergeLoss, NO_LOSS, refuseLost } from "../../quantize/merge-loss.js";
import type { RowSource } from "../../quantize/row-source.js";
import type { PreparedMerge } from "../prepare.js";
import { runTask } from "../run-task.js";
import { saveModules } from "../save-modules.js";
import type { MeasureDone } from "../worker-task.js";

const RESIDUAL = "adapter";

/** The folder that what was lost goes into. @param out the output's folder, or GGUF file */
export const residualFolder = (out: string): string =>
  out.endsWith(".gguf") ? `${out.slice(0, -".gguf".length)}-${RESIDUAL}` : join(out, RESIDUAL);
/** What is in it. */
export const RESIDUAL_FILES: readonly string[] = ["adapter_model.safetensors", "adapter_config.json"].map((name) => `${RESIDUAL}/${name}`);

/** What storing merged weights in few bits cost. */
export interface Requantized {
  /** By name of the weight. */
  readonly losses: ReadonlyMap<string, MergeLoss>;
  /** Of all of them. */
  readonly loss: MergeLoss;
  /** The adapter with what was lost, and how much of that is not in it either: ‖R - BA‖ / ‖R‖ by name of the weight. */
  readonly residual: { readonly folder: string; readonly left: ReadonlyMap<string, number> } | undefined;
}

/** What is to be done about what is lost. */
export interface LossOptions {
  /** Write weights although most of the change is rounded away. */
  readonly allowLoss?: boolean | undefined;
  /** Keep what is rounded away as a LoRA of this rank, in the folder `adapter` of the output, or `OUT-adapter` beside `OUT.gguf`. */
  readonly residualRank?: number | undefined;
}

interface MeasureOptions extends LossOptions {
  readonly signal: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
  /** Are the sizes of changes found, too: plans are made for it. */
  readonly stats: boolean;
  /** What messages and the adapter's config call the output. */
  readonly out: string;
}

/** The weights of a merge that are stored as the base has them. */
export const requantizedJobs = ({ output }: Pick<PreparedMerge, "output">): readonly TensorJob[] =>
  output.items.filter(({ stored }) => stored !== undefined);

/**
 * Compares what was written of merged weights with what they should be, and refuses it where most of the change is gone.
 * @param files where the files of the output are now
 * @param adapter folder for what is lost
 * @throws CapabilityError kind `change-lost`
 */
export async function measureRequantized(
  prepared: PreparedMerge,
  { jobs: threads, plans, tileBytes }: Resources,
  files: readonly string[],
  adapter: string,
  options: MeasureOptions,
): Promise<Requantized | undefined> {
  const jobs = requantizedJobs(prepared);
  if (jobs.length === 0) return undefined;
  const { values, base, methods } = prepared;
  const { residualRank: rank, allowLoss = false, signal, onProgress, stats } = options;
  const written = new Map(jobs.map((job) => [job.stored!.like, writtenSource(job, values.get(job.stored!.like)!, files[job.shard]!)]));
  const total = jobs.reduce((sum, { bytes }) => sum + bytes, 0);
  const done: MeasureDone[] = [];
  await runTask({
    task: { kind: "measure", jobs, plans, values, written, tileBytes, stats, rank },
    jobs: threads,
    signal,
    onProgress: (bytes) => onProgress?.({ phase: "compare", done: bytes, total }),
    onResult(index, result) {
      done[index] = result;
    },
  });
  const loss = done.map((one) => one.loss).reduce(addLoss, NO_LOSS);
  const losses = new Map(jobs.map(({ name }, i) => [name, done[i]!.loss]));
  if (rank === undefined) {
    if (!allowLoss) refuseLost(loss, base.location);
    return { losses, loss, residual: undefined };
  }
  const modules = jobs.map(({ name }, i) => extractedModule(name.slice(0, -".weight".length), done[i]!.factors!, "F32"));
  const { out } = options;
  await saveModules(withComponents(modules), {
    to: "peft",
    out: adapter,
    base,
    baseName: out,
    allowLoss: false,
    metadata: new Map(),
    inputs: [],
    methods,
    force: true,
    signal,
    onProgress,
  });
  return {
    losses,
    loss,
    residual: { folder: residualFolder(out), left: new Map(jobs.map(({ name }, i) => [name, done[i]!.factors!.residual])) },
  };
}

/** Where the values of a weight are read from once they are written. */
function writtenSource({ stored }: TensorJob, source: RowSource, file: string): RowSource {
  if (!source.packed) return { ...source, at: { ...stored!.tensors[0]!, file } };
  const tensors = new Map<string, TensorLocation>(Object.entries(source.packed.tensors));
  for (const { key, offset, bytes } of stored!.tensors) {
    const before = tensors.get(key)!;
    const grown = bytes !== before.bytes;
    tensors.set(key, {
      file,
      offset,
      bytes,
      dtype: grown ? ("U8" satisfies SafetensorsDType) : before.dtype,
      shape: grown ? [bytes] : before.shape,
    });
  }
  return { ...source, packed: { ...source.packed, tensors: Object.fromEntries(tensors) } };
}
