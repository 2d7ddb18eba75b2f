import { createHash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { toCoreDType } from "@weft/io-safetensors";
import { isFloat } from "@weft/tensor-core";
import type { OnProgress } from "../../job-progress.js";
import type { WeightDType } from "../../plan/plan-merge.js";
import { type EncodeJob, type EncodeTo, keptDType } from "../../quantize/encode-job.js";
import { setJsonField } from "../../quantize/json-field.js";
import { type EncodePlan, planEncode, type Wanted } from "../../quantize/plan-encode.js";
import { isChanged, type RowSource } from "../../quantize/row-source.js";
import { checkPlace } from "../check-output.js";
import { fillFolder } from "../fill-folder.js";
import type { ResourceOptions } from "../merge-options.js";
import type { SideFile } from "../side-files.js";
import type { EncodeDone, EncodeTask } from "../worker-task.js";
import { writeShards, type WriteShardsOptions } from "../write-shards.js";
import type { QuantizedLayer } from "./quantized-layer.js";
import { type EncodeBase, openEncodeBase } from "./encode-base.js";
import { encodeThreads } from "./encode-memory.js";

/** What all jobs that store a checkpoint in another way are told. */
export interface EncodeJobOptions extends ResourceOptions {
  /** Checkpoint: folder, index, file, GGUF file, or `hf:user/repo` in the hub's cache; quantised weights are read as their values. */
  readonly base: string;
  /** Folder to write. */
  readonly out: string;
  /** Cuts the output anew into files of at most so many bytes; undefined: as the base. */
  readonly maxShardSize?: number | undefined;
  readonly force?: boolean | undefined;
  /** Plan, and write nothing. */
  readonly dryRun?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
  /** Is told what will be done, before it is. */
  readonly onPlan?: ((plan: Pick<PreparedEncode, "notices" | "bytes" | "shards">, threads: number) => void) | undefined;
}

/** A planned output with what is to be said of it. */
export interface PreparedEncode extends EncodePlan {
  readonly side: readonly SideFile[];
  readonly inputs: readonly string[];
  readonly job: string;
  readonly notices: readonly string[];
  /** Bytes of the tensors of the base. */
  readonly baseBytes: number;
}

/** What was written. */
export interface EncodeResult {
  readonly out: string;
  readonly files: readonly { readonly name: string; readonly bytes: number }[];
  /** Weights that were quantised. */
  readonly quantized: number;
  /** Weights and other tensors, as if none were quantised. */
  readonly tensors: number;
  readonly bytes: number;
  readonly baseBytes: number;
  /** Files that an earlier run had finished; of a GGUF file, tensors. */
  readonly resumed: number;
  /** What became of each layer, where it was measured. */
  readonly layers?: readonly QuantizedLayer[];
}

/** What a job makes of a checkpoint. */
export interface Recipe {
  readonly wanted: readonly Wanted[];
  readonly dtype: WeightDType | undefined;
  /** `quantization_config` of the output. */
  readonly config: object | undefined;
  readonly notices: readonly string[];
}

/** Runs a job: plans it by a recipe, says so, and writes a folder. */
export async function runEncode(phase: string, options: EncodeJobOptions, recipe: (base: EncodeBase) => Recipe): Promise<EncodeResult> {
  const { base: path, out, force = false, signal } = options;
  checkPlace(out, [path]);
  const prepared = await prepareEncode(phase, options, recipe);
  const threads = encodeThreads(prepared.jobs, options);
  options.onPlan?.(prepared, threads);
  const { job, inputs, side } = prepared;
  const summary = summaryOf(out, prepared);
  if (options.dryRun) return { ...summary, resumed: 0 };
  const { resumed } = await fillFolder(out, prepared, side, { force, job, inputs, signal }, (folder, outputs) =>
    writeEncoded(phase, prepared, threads, options, outputs, folder.finished, (shard, hashes) => folder.commit(shard, hashes)),
  );
  return { ...summary, resumed };
}

/** What of the result follows from the plan. */
export const summaryOf = (
  out: string,
  { shards, jobs, bytes, baseBytes }: Pick<PreparedEncode, "shards" | "jobs" | "bytes" | "baseBytes">,
): Omit<EncodeResult, "resumed"> => ({
  out,
  files: shards.map(({ file, layout }) => ({ name: file, bytes: layout.size })),
  quantized: jobs.filter(isQuantized).length,
  tensors: jobs.length,
  bytes,
  baseBytes,
});

const isQuantized = ({ to }: EncodeJob): boolean =>
  to.kind === "quantized" || to.kind === "made" || (to.kind === "ggml" && !["F32", "F16", "BF16"].includes(to.type));

/** Encodes what is not finished on threads. */
export async function writeEncoded(
  phase: string,
  { shards, jobs }: EncodePlan,
  threads: number,
  {
    signal,
    onProgress,
    onItem,
  }: Pick<EncodeJobOptions, "signal" | "onProgress"> & Pick<WriteShardsOptions<EncodeTask, EncodeJob>, "onItem">,
  outputs: EncodeTask["outputs"],
  finished: ReadonlySet<number>,
  commit: WriteShardsOptions<EncodeTask, EncodeJob>["commit"],
): Promise<void> {
  const total = jobs.reduce((sum, { bytes }) => sum + bytes, 0);
  await writeShards<EncodeTask, EncodeJob>({
    shards,
    items: jobs,
    finished,
    task: (todo) => ({ kind: "encode", jobs: todo, outputs }),
    hashesOf: (_, { hashes }: EncodeDone) => hashes,
    jobs: threads,
    signal,
    onProgress: (done) => onProgress?.({ phase, done, total }),
    commit,
    ...(onItem && { onItem }),
  });
}

async function prepareEncode(phase: string, options: EncodeJobOptions, recipe: (base: EncodeBase) => Recipe): Promise<PreparedEncode> {
  const base = await openEncodeBase(options.base);
  const { wanted, dtype, config, notices } = recipe(base);
  const plan = planEncode(base.weights, wanted, options.maxShardSize);
  const side = base.side(dtype).map((file) => withQuantization(file, config));
  const text = side.find(({ name }) => name === "config.json")?.text;
  const missing = config !== undefined && !side.some(({ name }) => name === "config.json");
  return {
    ...plan,
    side,
    inputs: base.inputs,
    job: jobHash(phase, plan, base.inputs, text),
    notices: [
      ...base.notices,
      ...notices,
      ...(missing
        ? [`${options.base} has no config.json: quantization_config, which tells programs how to read the weights, has no place`]
        : []),
    ],
    baseBytes: base.bytes,
  };
}

/** How values that are not quantised are stored. */
export function plainTo(source: RowSource, dtype: WeightDType | undefined): EncodeTo {
  const core = toCoreDType(source.dtype);
  const float = core !== undefined && isFloat(core);
  if (isChanged(source)) return { kind: "cast", dtype: dtype ?? keptDType(source) };
  return dtype === undefined || !float || core === dtype ? { kind: "copy" } : { kind: "cast", dtype };
}

/** config.json with the entry that tells programs of the format, or without one where nothing is quantised. */
function withQuantization(file: SideFile, config: object | undefined): SideFile {
  if (file.name !== "config.json") return file;
  const before = file.text ?? readFileSync(file.from, "utf8");
  // Python reads a number without a point as a whole one, which transformers refuses here.
  const text = setJsonField(before, "quantization_config", config).replace(/("llm_int8_threshold": \d+)(?=[,\s}])/, "$1.0");
  return text === before ? file : { ...file, text };
}

/** Of inputs, what is made of them, and where it goes; no path of the output, no time of the run. */
export function jobHash(
  phase: string,
  { shards, jobs }: Pick<EncodePlan, "shards" | "jobs">,
  inputs: readonly string[],
  config: string | undefined,
): string {
  const files = inputs.map((file) => {
    const { size, mtimeMs } = statSync(file);
    return [file, size, mtimeMs];
  });
  const hash = createHash("sha256").update(JSON.stringify([1, phase, files, config ?? null, jobs], asHash));
  for (const { file, layout } of shards) hash.update(file).update(layout.header);
  return hash.digest("hex");
}

/** Many numbers, shortly. */
const asHash = (_: string, value: unknown): unknown =>
  value instanceof Float32Array ? createHash("sha256").update(value).digest("hex") : value;
