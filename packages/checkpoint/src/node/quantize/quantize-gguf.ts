import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { architectureOfConfig, type DescribedModel, type GgufMetadata, layoutGguf, shapeInGguf, tensorNames } from "@weft/io-gguf";
import { CapabilityError, ConfigError, FormatError } from "@weft/tensor-core";
import { bytesPer, GGUF_TYPES, type GgufType } from "@weft/quant-nf4-awq";
import type { GgufTargetName } from "../../names.js";
import { toCoreDType } from "@weft/io-safetensors";
import type { WeightDType } from "../../plan/plan-merge.js";
import { type EncodeJob, type EncodeTo, keptDType } from "../../quantize/encode-job.js";
import { fileTypeOfMost, mixedType } from "../../quantize/gguf-mixtures.js";
import { modelMetadata } from "../../quantize/gguf-metadata.js";
import { tokenizerMetadata } from "../../quantize/gguf-tokenizer.js";
import { type RowSource, turned } from "../../quantize/row-source.js";
import { checkOutput } from "../check-output.js";
import { localPath } from "../open-input.js";
import { folderOf } from "../side-files.js";
import { type TypedTensor, typesWithin } from "./budget-gguf.js";
import { type EncodeBase, openEncodeBase } from "./encode-base.js";
import { encodeThreads } from "./encode-memory.js";
import { poolingMetadata } from "./gguf-pooling.js";
import { measureLayers } from "./measure-layers.js";
import { ResumableFile } from "./resumable-file.js";
import { type EncodeJobOptions, type EncodeResult, jobHash, summaryOf, writeEncoded } from "./run-encode.js";

/** What is written as a GGUF file, and how. */
export interface GgufOptions extends Omit<EncodeJobOptions, "maxShardSize"> {
  /** File to write; its name ends in `.gguf`. */
  readonly out: string;
  /** Types of its tensors; undefined: numbers, as the largest tensor of the checkpoint is stored, f32 where that is quantised. */
  readonly to: GgufTargetName | undefined;
  /** Bytes that the file may take, in place of `to`: types are chosen by the error that they leave of each tensor. */
  readonly budget?: number | undefined;
  /** Read what was written, and tell what each layer lost. */
  readonly measure?: boolean | undefined;
  /** What each input counts, [in], by the name of the tensor in the file: an importance matrix. Types that take none (of numbers, Q8_0 …) are written without. */
  readonly importance?: ReadonlyMap<string, Float32Array> | undefined;
}

/**
 * Writes a checkpoint of transformers with its tokenizer as a GGUF file: names, order of rows, metadata and types of tensors as llama.cpp's converter and quantiser give them. The file appears when it
 * is complete; stopped or killed, the same job goes on from the tensors that are done. The bytes are the same for any number of threads.
 * @throws CapabilityError kind `unsupported-model` for models and tokenizers that are not written; FormatError kind `non-finite`; ConfigError kinds `exists`, `other-job`, `no-model-config`; IoError; CancelledError
 */
export async function quantizeToGguf(options: GgufOptions): Promise<EncodeResult> {
  const { base: path, out, budget, measure = false, force = false, signal } = options;
  if (options.to !== undefined && budget !== undefined)
    throw new ConfigError(`${options.to} is a mixture of types, and a budget chooses them by their errors: one of the two`);
  if (!out.endsWith(".gguf"))
    throw new ConfigError(`${out}: a GGUF file is written, whose name ends in .gguf`, { kind: "not-a-file", file: out });
  checkOutput(out, [path], force);
  const base = await openEncodeBase(path);
  if (path.endsWith(".gguf"))
    throw new CapabilityError(`${path}: a GGUF file is not quantised to another`, {
      kind: "unsupported-model",
      file: path,
      hint: "convert it first: weft convert FILE.gguf --dtype bf16 -o FOLDER",
    });
  const folder = folderOf(localPath(path));
  const { model, bytes: baseBytes } = base;
  const file = join(folder, "config.json");
  if (!model) throw new ConfigError(`${file}: missing; what is written of the model stands there`, { kind: "no-model-config", file });
  // A mixture says which tensors are quantised at all.
  const to = options.to ?? (budget === undefined ? storedDType(base.tensors) : "q4_k_m");
  const architecture = architectureOfConfig(model, file);
  const described = modelMetadata(model, file, { architecture, name: basename(folder), to });
  const mixed = [...ownTensors(described.tensors), ...tensorsOf(base, { to, importance: options.importance }, file, described.metadata)];
  const embedding = mixed.find(({ name }) => name === "token_embd.weight");
  const metadata = new Map([
    ...described.metadata,
    ...poolingMetadata(folder, architecture),
    ...tokenizerMetadata(tokenizerFiles(folder), model, embedding?.source.shape[0] ?? 0, join(folder, "tokenizer.json")),
  ]);
  const encodeAs = (tensor: PlannedTensor, type: GgufType): EncodeTo => {
    const dense = { F32: "f32", F16: "f16", BF16: "bf16" } as const;
    if (Object.hasOwn(dense, type)) return { kind: "cast", dtype: dense[type as keyof typeof dense] };
    const own = GGUF_TYPES[type].encodeWeighted && importanceOf(tensor, options);
    return { kind: "ggml", type, ...(own && { importance: own }) };
  };
  const plan =
    budget === undefined ? mixed : await typesWithin(budget, mixed, metadata, encodeAs, (tensor) => importanceOf(tensor, options), options);
  if (budget !== undefined) metadata.set("general.file_type", { type: "u32", value: fileTypeOfMost(mostOf(plan)) });
  const layout = layoutGguf(
    metadata,
    plan.map(({ name, type, source }) => ({ name, type, shape: source.shape })),
  );
  const places = new Map(layout.tensors.map((tensor) => [tensor.name, tensor]));
  const jobs = plan
    .map((tensor): EncodeJob => {
      const { name, type, source } = tensor;
      const { offset, bytes } = places.get(name)!;
      const what = encodeAs(tensor, type);
      return {
        name,
        shard: 0,
        bytes,
        source,
        to: what,
        tensors: [{ name, key: "", offset, bytes, ...(what.kind === "ggml" && { part: "bytes" }) }],
      };
    })
    .toSorted((a, b) => b.bytes - a.bytes);
  const shards = [{ file: basename(out), layout }];
  const prepared = { shards, jobs, index: undefined, bytes: layout.size, baseBytes };
  const threads = encodeThreads(jobs, options);
  options.onPlan?.({ ...prepared, notices: [...base.notices, ...leftOutNotices(base, architecture)] }, threads);
  const planned = summaryOf(dirname(out), prepared);
  if (options.dryRun) return { ...planned, resumed: 0 };
  const job = jobHash("gguf", prepared, base.inputs, undefined);
  const { resumed } = await ResumableFile.fill(out, layout, { job, force, signal }, (whole) =>
    writeEncoded(
      "quantize",
      { ...prepared, jobs: jobs.filter((one) => !whole.finished.has(one.name)) },
      threads,
      {
        ...options,
        onItem: (_, { hashes }) => whole.note(hashes),
      },
      [{ path: whole.path, name: out }],
      new Set(),
      async () => "",
    ),
  );
  const summary = { ...planned, resumed };
  if (!measure) return summary;
  const own = new Map(base.tensors.map((tensor) => [tensor.name, tensor.source]));
  const layers = plan
    .filter(({ type }) => type !== "F32")
    .map((tensor) => ({
      name: tensor.hf,
      format: tensor.type,
      bytes: places.get(tensor.name)!.bytes,
      source: own.get(tensor.hf)!,
      transposed: tensor.transposed,
      importance: importanceOf(tensor, options),
    }));
  return { ...summary, layers: await measureLayers(out, layers, options) };
}

/** The type that most bytes are of. */
function mostOf(plan: readonly TypedTensor[]): GgufType {
  const bytes = new Map<GgufType, number>();
  for (const { type, source } of plan)
    if (type !== "F32") bytes.set(type, (bytes.get(type) ?? 0) + bytesPer(GGUF_TYPES[type], [source.shape[0]!, source.shape[1]!]));
  return [...bytes].reduce((a, b) => (b[1] > a[1] ? b : a), ["F16", 0] as [GgufType, number])[0];
}

/** The dtype of the largest tensor that is numbers. */
function storedDType(tensors: EncodeBase["tensors"]): WeightDType {
  const plain = tensors.filter(({ source }) => !source.packed && toCoreDType(source.dtype));
  const largest = plain.toSorted((a, b) => b.source.at.bytes - a.source.at.bytes)[0];
  return largest ? keptDType(largest.source) : "f32";
}

/** A tensor with its name in the checkpoint; empty where it has none there. */
interface PlannedTensor extends TypedTensor {
  readonly hf: string;
  /** [in, out] in the checkpoint. */
  readonly transposed?: boolean;
}

/** What the checkpoint does not have as tensors. */
const ownTensors = (tensors: DescribedModel["tensors"]): PlannedTensor[] =>
  tensors.map(({ name, values }) => ({
    name,
    hf: "",
    type: "F32",
    source: { shape: [values.length], dtype: "F32", at: { file: "", offset: 0, bytes: 4 * values.length }, given: values },
  }));

/** Every tensor of the checkpoint, in the order of the layers. */
function tensorsOf(
  { tensors, model }: EncodeBase,
  { to, importance }: Pick<GgufOptions, "importance"> & { readonly to: GgufTargetName },
  file: string,
  metadata: GgufMetadata,
): PlannedTensor[] {
  const config = model!;
  const architecture = String(metadata.get("general.architecture")?.value);
  const names = tensorNames(architecture);
  const number = (key: string): number | undefined => {
    const entry = metadata.get(`${architecture}.${key}`);
    return entry && Number(entry.value);
  };
  const heads = number("attention.head_count")!;
  const [kvHeads, groups] = [number("attention.head_count_kv") ?? heads, number("ssm.group_count") ?? 1];
  const tied = config.tie_word_embeddings === true || !tensors.some(({ name }) => name === "lm_head.weight");
  const shape = { layers: number("block_count")!, groupedHeads: heads / kvHeads, tied, importance: importance !== undefined };
  return tensors.flatMap(({ name, source }): PlannedTensor[] => {
    if (name.endsWith(".rotary_emb.inv_freq") || (tied && name === "lm_head.weight") || names.leftOut(name)) return [];
    const named = names.toGguf(name);
    if (!named)
      throw new CapabilityError(`${name}: a GGUF file of ${String(config.model_type)} has no such tensor`, {
        kind: "unsupported-model",
        tensor: name,
        file,
      });
    const { name: own, placement, values, form } = named;
    if (placement === "transposed") {
      const laid = turned(source);
      return [{ name: own, hf: name, type: mixedType(to, own, laid.shape, shape), source: laid, transposed: true }];
    }
    const laid: RowSource = {
      ...source,
      shape: shapeInGguf(form, source.shape, groups),
      ...(placement && { heads: { count: placement === "q-heads" ? heads : kvHeads, to: "gguf" } }),
      ...(values && { values: { of: values, to: "gguf" } }),
    };
    return [{ name: own, hf: name, type: mixedType(to, own, laid.shape, shape), source: laid }];
  });
}

/** What of the checkpoint has no place in the file, and is more than masks and positions. */
function leftOutNotices({ tensors }: EncodeBase, architecture: string): string[] {
  const names = tensorNames(architecture);
  const lost = tensors.flatMap(({ name }) => (names.leftOut(name) === "heads" ? [name] : []));
  return lost.length === 0 ? [] : [`left out, as GGUF files of ${architecture} do not have them: ${lost.join(", ")}`];
}

/** What the inputs of a tensor count. @throws FormatError kind `imatrix` for those of another model */
function importanceOf({ name, source: { shape, at } }: TypedTensor, { importance }: GgufOptions): Float32Array | undefined {
  const own = importance?.get(name);
  if (own === undefined || own.length === shape[1]) return own;
  throw new FormatError(`${name}: the importance is of ${own.length} inputs, the weight has ${shape[1]}`, {
    kind: "imatrix",
    tensor: name,
    file: at.file,
    hint: "the importance matrix is of another model: make it with this one, --calibration",
  });
}

function tokenizerFiles(folder: string): Parameters<typeof tokenizerMetadata>[0] {
  const read = (name: string): string | undefined =>
    existsSync(join(folder, name)) ? readFileSync(join(folder, name), "utf8") : undefined;
  const json = (name: string): { readonly [field: string]: unknown } => {
    const file = join(folder, name);
    try {
      return JSON.parse(read(name) ?? "{}") as { readonly [field: string]: unknown };
    } catch (cause) {
      throw new ConfigError(`${file}: not valid JSON`, { kind: "config-json", file, cause });
    }
  };
  return { tokenizer: json("tokenizer.json"), config: json("tokenizer_config.json"), template: read("chat_template.jinja") };
}
