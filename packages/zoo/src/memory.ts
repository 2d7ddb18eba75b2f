import { LORA_METHODS } from "@weft/methods";
import { type CausalLM, loadCausalLM, loadEncoder, parameterShapes, unreadParameters } from "@weft/models";
import { bytesPer, fourBit, LLM_INT8, type QuantFormat } from "@weft/quant-nf4-awq";
import { getPeftModel } from "@weft/registry";
import {
  bytesPerElement,
  type Device,
  type DType,
  flattenTree,
  type MatrixShape,
  referenceDevice,
  sizeOf,
  type Tree,
} from "@weft/tensor-core";
import { estimateMemory } from "@weft/training";
import type { KnownModel } from "./known-model.js";

/** How the linear layers of a model are stored; embeddings, norms and the output layer stay bf16 where these are packed, as bitsandbytes leaves them. */
export const STORAGES = ["f32", "bf16", "int8", "nf4"] as const;
/** One of {@link STORAGES}. */
export type Storage = (typeof STORAGES)[number];

const FORMATS: { readonly [storage in Storage]?: QuantFormat } = { int8: LLM_INT8, nf4: fourBit({ doubleQuant: true }) };
const dtypeOf = (storage: Storage): DType => (storage === "f32" ? "f32" : "bf16");

/** Model types that give states of tokens, not logits of the next one. */
const ENCODERS: readonly string[] = ["bert"];
/** Whether a model gives states of tokens: it has no cache, and no loss of the next token. */
export const isEncoder = ({ config }: Pick<KnownModel, "config">): boolean => ENCODERS.includes(config.model_type);

type Config = KnownModel["config"];

/** A model without weights. @param packed names of those that are stored in the format; none if not given */
function sketch(config: Config, storage: Storage, device: Device = referenceDevice(), packed?: ReadonlySet<string>): Promise<CausalLM> {
  const format = packed && FORMATS[storage];
  const source = unreadParameters(parameterShapes(config), {
    dtype: dtypeOf(storage),
    ...(format && { pack: (name: string) => (packed.has(name) ? format : undefined) }),
  });
  return (isEncoder({ config }) ? loadEncoder : loadCausalLM)(config, source, { device, whenNeeded: true }) as Promise<CausalLM>;
}

/** Weights of the linear layers but the output layer: those that `all-linear` adapts are those that QLoRA packs. */
function linearWeights(model: CausalLM): ReadonlySet<string> {
  const outputs = new Set([...model.namedModules()].flatMap(([path, { outputEmbedding }]) => (outputEmbedding ? [path] : [])));
  const linear = model.layers().filter(({ path, layer }) => layer.kind === "linear" && !layer.transposed && !outputs.has(path));
  return new Set(linear.map(({ path }) => `${path}.weight`));
}

/** What a model takes while it runs, in bytes. */
export interface RunMemory {
  readonly weightBytes: number;
  /** Keys and values, or states, of one text. */
  readonly cacheBytes: number;
}

const bytesOf = (tree: Tree): number => flattenTree(tree).leaves.reduce((sum, t) => sum + t.size * bytesPerElement(t.dtype), 0);

/**
 * What a model takes while it runs: its weights, and the cache of one text; beside them come the temporaries of a pass. Nothing is read or computed.
 * @param model one of `KNOWN_MODELS`, or any config of an architecture of `@weft/models`
 * @param contextLength tokens of prompt and answer; not more than the model was made for
 * @throws ConfigError naming the field of the config
 */
export async function memoryToRun({ config }: Pick<KnownModel, "config">, storage: Storage, contextLength: number): Promise<RunMemory> {
  const model = await sketch(config, storage);
  const packed = linearWeights(model);
  const format = FORMATS[storage];
  let weightBytes = 0;
  for (const [name, shape] of parameterShapes(config))
    weightBytes += format && packed.has(name) ? bytesPer(format, shape as MatrixShape) : sizeOf(shape) * bytesPerElement(dtypeOf(storage));
  const cacheBytes = isEncoder({ config }) ? 0 : bytesOf(model.emptyCache({ batch: 1, capacity: contextLength }) as unknown as Tree);
  return { weightBytes, cacheBytes };
}

/** A LoRA and the batches that it is trained with. */
export interface TrainingSizes {
  /** Rank; 8 if not given. */
  readonly r?: number;
  /** Tokens of a row; 512 if not given. */
  readonly length?: number;
  /** Rows of a step; 1 if not given. */
  readonly batchSize?: number;
}

/**
 * What a LoRA on all linear layers takes at the peak of a step of AdamW, in bytes: out of the plan of the step, as `estimateMemory` of `@weft/training`. With `nf4` that is QLoRA.
 * @param device that the plan is for
 * @throws ConfigError; CapabilityError for encoders, which have no loss of the next token
 */
export async function memoryToTrain(
  { config }: Pick<KnownModel, "config">,
  storage: Storage,
  device: Device,
  { r = 8, length = 512, batchSize = 1 }: TrainingSizes = {},
): Promise<number> {
  const model = await sketch(config, storage, device, linearWeights(await sketch(config, storage)));
  const lora = { peft_type: "LORA", r, lora_alpha: 2 * r, target_modules: "all-linear" } as const;
  const peft = await getPeftModel(model, lora, { methods: LORA_METHODS, seed: 0 });
  const inputIds = Array.from({ length: batchSize }, () => new Int32Array(length));
  const { peakBytes } = await estimateMemory(peft, { inputIds, labels: inputIds }, { device });
  return peakBytes;
}
