import { createHash } from "node:crypto";
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { findQuantization, type LocatedTensor, toCoreDType, type WeightSource } from "@weft/io-safetensors";
import type { IntegerFormat } from "@weft/quant-nf4-awq";
import { isFloat, ShapeError } from "@weft/tensor-core";
import type { OnProgress } from "../../job-progress.js";
import type { WeightDType } from "../../plan/plan-merge.js";
import { type EncodeTo, keptDType } from "../../quantize/encode-job.js";
import { setJsonField } from "../../quantize/json-field.js";
import { isQuantizable, isTurned, linearPath } from "../../quantize/modules.js";
import { type EncodePlan, planEncode, type Wanted } from "../../quantize/plan-encode.js";
import type { RowSource } from "../../quantize/row-source.js";
import { formatOf, type QuantTarget, targetOf } from "../../quantize/targets.js";
import { checkPlace } from "../check-output.js";
import { fillFolder } from "../fill-folder.js";
import type { ResourceOptions } from "../merge-options.js";
import { localPath, openCheckpoint } from "../open-input.js";
import { folderOf, readModelConfig, type SideFile, sideFiles } from "../side-files.js";
import type { EncodeTask } from "../worker-task.js";
import { writeShards } from "../write-shards.js";
import { encodeThreads } from "./encode-memory.js";
import { unpackedSources } from "./packed-sources.js";

/** What all jobs that store a checkpoint in another way are told. */
export interface EncodeJobOptions extends ResourceOptions {
  /** Checkpoint: folder, index, file, or `hf:user/repo` in the hub's cache; quantised weights are read as their values. */
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
  readonly onPlan?: ((plan: PreparedEncode, threads: number) => void) | undefined;
}

/** What is quantised, and how. */
export interface QuantizeOptions extends EncodeJobOptions, QuantTarget {
  /** Paths of modules, or last parts of them, that stay as they are. */
  readonly skip?: readonly string[] | undefined;
  /** Stores what is not quantised as this; undefined: as the program that reads the format expects, or as it is. */
  readonly dtype?: WeightDType | undefined;
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
  /** Files that an earlier run had finished. */
  readonly resumed: number;
}

/**
 * Writes a checkpoint with the weights of its linear layers quantised, as the program of the format writes it: tensors, config.json, and which layers stay as they are (embeddings, norms,
 * heads, routers). Rows are encoded as they are read, on threads; memory is bounded by `maxMemory`, the bytes are the same for any number of threads, and the job goes on where it was stopped.
 * @throws ShapeError for a weight that the format does not divide; FormatError kind `non-finite`; ConfigError kinds `exists`, `output-is-input`, `other-job`, `config-value`; CapabilityError kind
 * `memory-limit`; IoError; CancelledError
 */
export async function quantizeCheckpoint(options: QuantizeOptions): Promise<EncodeResult> {
  const { to, groupSize, doubleQuant, skip = [] } = options;
  const target: QuantTarget = { to, ...(groupSize !== undefined && { groupSize }), ...(doubleQuant !== undefined && { doubleQuant }) };
  const format = formatOf(target);
  // A last group that is shorter is read by none of the programs.
  const block = Math.max(format.block, (format as Partial<IntegerFormat>).groupSize ?? 1);
  const { files, dtype: natural, calibrated } = targetOf(target);
  const dtype = options.dtype ?? natural;
  return runEncode("quantize", options, (base) => {
    const kept: string[] = [];
    const wanted = base.tensors.map((tensor): Wanted => {
      const { name, source } = tensor;
      const path = linearPath({ name, dtype: source.dtype, shape: source.shape });
      if (path === undefined) return { name, source, to: plainTo(source, dtype) };
      if (!isQuantizable(path, skip)) {
        kept.push(path);
        return { name, source, to: plainTo(source, dtype) };
      }
      const laid = isTurned(path, base.model?.model_type) ? turned(source) : source;
      if (laid.shape[1]! % block !== 0) throw undivided(name, laid, block, to);
      return { name, source: laid, to: { kind: "quantized", target, dtype: dtype ?? keptDType(source) } };
    });
    const skipped = skippedModules(kept, files.method);
    return {
      wanted,
      dtype,
      config: files.config!(format, skipped),
      notices: calibrated
        ? [
            `${to}: weights are rounded to the nearest, without calibration data; the layout is the original's, its search for better scales is not made`,
          ]
        : [],
    };
  });
}

/**
 * Writes a checkpoint with its floats in another dtype, rounded to nearest, ties to even, and quantised weights as their values.
 * @throws as `quantizeCheckpoint`
 */
export const convertCheckpoint = (options: EncodeJobOptions & { readonly dtype?: WeightDType | undefined }): Promise<EncodeResult> =>
  runEncode("convert", options, ({ tensors }) => ({
    wanted: tensors.map(({ name, source }) => ({ name, source, to: plainTo(source, options.dtype) })),
    dtype: options.dtype,
    config: undefined,
    notices: [],
  }));

/** A checkpoint with its tensors as values. */
interface OpenedBase {
  readonly weights: WeightSource;
  readonly model: ReturnType<typeof readModelConfig>;
  readonly tensors: readonly { readonly name: string; readonly source: RowSource }[];
}

/** What a job makes of a checkpoint. */
interface Recipe {
  readonly wanted: readonly Wanted[];
  readonly dtype: WeightDType | undefined;
  /** `quantization_config` of the output. */
  readonly config: object | undefined;
  readonly notices: readonly string[];
}

async function runEncode(phase: string, options: EncodeJobOptions, recipe: (base: OpenedBase) => Recipe): Promise<EncodeResult> {
  const { base: path, out, force = false, signal, onProgress } = options;
  checkPlace(out, [path]);
  const prepared = await prepareEncode(phase, options, recipe);
  const threads = encodeThreads(prepared.jobs, options);
  options.onPlan?.(prepared, threads);
  const { shards, jobs, job, inputs, side } = prepared;
  const summary = {
    out,
    files: shards.map(({ file, layout }) => ({ name: file, bytes: layout.size })),
    quantized: jobs.filter(({ to }) => to.kind === "quantized").length,
    tensors: jobs.length,
    bytes: prepared.bytes,
    baseBytes: prepared.baseBytes,
  };
  if (options.dryRun) return { ...summary, resumed: 0 };
  const total = jobs.reduce((sum, { bytes }) => sum + bytes, 0);
  const { resumed } = await fillFolder(out, prepared, side, { force, job, inputs, signal }, (folder, outputs) =>
    writeShards({
      shards,
      items: jobs,
      finished: folder.finished,
      task: (todo): EncodeTask => ({ kind: "encode", jobs: todo, outputs }),
      hashesOf: (_, { hashes }) => hashes,
      jobs: threads,
      signal,
      onProgress: (done) => onProgress?.({ phase, done, total }),
      commit: (shard, hashes) => folder.commit(shard, hashes),
    }),
  );
  return { ...summary, resumed };
}

async function prepareEncode(phase: string, options: EncodeJobOptions, recipe: (base: OpenedBase) => Recipe): Promise<PreparedEncode> {
  const weights = await openCheckpoint(localPath(options.base));
  try {
    const folder = folderOf(weights.location);
    const model = readModelConfig(folder);
    const { wanted, dtype, config, notices } = recipe({ weights, model, tensors: await tensorsOf(weights, model) });
    const plan = planEncode(weights, wanted, options.maxShardSize);
    const inputs = [...new Set([...weights.names()].map((name) => weights.info(name).file))];
    const side = sideFiles(folder, { untie: false, vocabulary: undefined, dtype }, undefined).map((file) => withQuantization(file, config));
    const text = side.find(({ name }) => name === "config.json")?.text;
    const missing = !existsSync(join(folder, "config.json"));
    return {
      ...plan,
      side,
      inputs,
      job: jobHash(phase, plan, inputs, text),
      notices: [
        ...weights.warnings,
        ...notices,
        ...(missing && config
          ? [`${folder} has no config.json: quantization_config, which tells programs how to read the weights, has no place`]
          : []),
      ],
      baseBytes: [...weights.names()].reduce((sum, name) => sum + weights.info(name).bytes, 0),
    };
  } finally {
    await weights.close();
  }
}

/** The tensors of a checkpoint, quantised weights as what they stand for. */
async function tensorsOf(weights: WeightSource, model: OpenedBase["model"]): Promise<OpenedBase["tensors"]> {
  const quantization = findQuantization(weights, model);
  const unpacked = await unpackedSources(weights, quantization, model);
  const plain = [...weights.names()].filter((name) => !unpacked.parts.has(name));
  return [
    ...[...unpacked.weights].map(([name, source]) => ({ name, source })),
    ...plain.map((name) => ({ name, source: plainSource(weights.info(name)) })),
  ];
}

const plainSource = ({ file, offset, bytes, dtype, shape }: LocatedTensor): RowSource => ({ shape, dtype, at: { file, offset, bytes } });

/** A weight that is stored [in, out], the right way round. */
const turned = ({ shape, ...source }: RowSource): RowSource => ({ ...source, shape: [shape[1]!, shape[0]!], turned: true });

/** How values that are not quantised are stored. */
export function plainTo(source: RowSource, dtype: WeightDType | undefined): EncodeTo {
  const core = toCoreDType(source.dtype);
  const float = core !== undefined && isFloat(core);
  if (source.packed) return { kind: "cast", dtype: dtype ?? keptDType(source) };
  return dtype === undefined || !float || core === dtype ? { kind: "copy" } : { kind: "cast", dtype };
}

/** What the config must name of the modules that stay as they are: those that the programs would not leave by themselves. */
function skippedModules(kept: readonly string[], method: string): readonly string[] | undefined {
  const heads = kept.filter((path) => /(^|\.)(lm_head|embed_out)$/.test(path));
  const others = kept.filter((path) => !/(^|[._])(embed\w*|wte|wpe|shared|lm_head)$|_embeddings?$/.test(path));
  if (method === "compressed-tensors") return [...heads, ...others];
  return others.length === 0 ? undefined : [...(heads.length > 0 ? heads : ["lm_head"]), ...others];
}

const undivided = (name: string, { shape, at }: RowSource, block: number, to: string): ShapeError =>
  new ShapeError(`${name}: rows of [${shape}] are no multiple of ${block}, the group of ${to}`, {
    tensor: name,
    file: at.file,
    hint: "choose a smaller --group-size, or leave the layer as it is: --skip NAME",
  });

/** config.json with the entry that tells programs of the format, or without one where nothing is quantised. */
function withQuantization(file: SideFile, config: object | undefined): SideFile {
  if (file.name !== "config.json") return file;
  const before = file.text ?? readFileSync(file.from, "utf8");
  // Python reads a number without a point as a whole one, which transformers refuses here.
  const text = setJsonField(before, "quantization_config", config).replace(/("llm_int8_threshold": \d+)(?=[,\s}])/, "$1.0");
  return text === before ? file : { ...file, text };
}

/** Of inputs, what is made of them, and where it goes; no path of the output, no time of the run. */
function jobHash(phase: string, { shards, jobs }: EncodePlan, inputs: readonly string[], config: string | undefined): string {
  const files = inputs.map((file) => {
    const { size, mtimeMs } = statSync(file);
    return [file, size, mtimeMs];
  });
  const hash = createHash("sha256").update(JSON.stringify([1, phase, files, config ?? null, jobs]));
  for (const { file, layout } of shards) hash.update(file).update(layout.header);
  return hash.digest("hex");
}
