import { fromCoreDType, type LocatedTensor, type Quantization, type WeightSource } from "@weft/io-safetensors";
import { type ModuleTensors, type QuantFiles, quantFilesOf, quantizedTensors } from "@weft/quant-nf4-awq";
import { WeftError } from "@weft/tensor-core";
import type { ModelConfig } from "../../changes/tied.js";
import type { TensorLocation } from "../../plan/tensor-job.js";
import { isTurned } from "../../quantize/modules.js";
import { type RowSource, turned } from "../../quantize/row-source.js";
import type { WeightKind } from "../../quantize/stored-tensors.js";

/** How a quantised weight is read. */
export interface UnpackedWeight {
  readonly source: RowSource;
  /** What `findQuantization` calls its format. */
  readonly format: string;
  readonly files: QuantFiles;
  readonly kind: WeightKind;
  /** The tensors that it lies in, by their names behind the module's path. */
  readonly tensors: ReadonlyMap<string, LocatedTensor>;
}

/** The quantised weights of a checkpoint as values, by the names that they would have unquantised. */
export interface Unpacked {
  readonly weights: ReadonlyMap<string, UnpackedWeight>;
  /** Tensors that the weights lie in. */
  readonly parts: ReadonlySet<string>;
  /** Why others are not read, by path of the module. */
  readonly unread: ReadonlyMap<string, WeftError>;
}

const locationOf = ({ file, offset, bytes, dtype, shape }: LocatedTensor): TensorLocation => ({ file, offset, bytes, dtype, shape });

/** Finds how the quantised weights of a checkpoint are read. Small tensors that tell (states, shapes) are read, and codes are not. */
export async function unpackedSources(
  weights: WeightSource,
  quantization: Quantization,
  model: ModelConfig | undefined,
): Promise<Unpacked> {
  const found = new Map<string, UnpackedWeight>();
  const parts = new Set<string>();
  const unread = new Map<string, WeftError>();
  for (const [path, own] of quantizedTensors(weights.names(), quantization.weights.keys())) {
    const tensors = new Map([...own].map(([key, name]) => [key, weights.info(name)]));
    try {
      found.set(`${path}.weight`, await unpackedWeight(weights, path, tensors, quantization.weights.get(path)!, model));
      for (const name of own.values()) parts.add(name);
    } catch (error) {
      if (!(error instanceof WeftError)) throw error;
      unread.set(path, error);
    }
  }
  return { weights: found, parts, unread };
}

/** @throws FormatError kind `quantized-weight`; CapabilityError kind `quantized-base` for a format that is not read */
async function unpackedWeight(
  weights: WeightSource,
  path: string,
  tensors: ReadonlyMap<string, LocatedTensor>,
  format: string,
  model: ModelConfig | undefined,
): Promise<UnpackedWeight> {
  const config = model?.quantization_config as { readonly [field: string]: unknown } | undefined;
  const views: ModuleTensors = new Map(
    await Promise.all(
      [...tensors].map(async ([key, { name, dtype, shape, bytes }]) => {
        // Codes are many: a view of zeros has their length and costs no memory before it is touched.
        const data = bytes <= 4096 ? (await weights.read(name)).data : new Uint8Array(bytes);
        return [key, { dtype, shape, data }] as const;
      }),
    ),
  );
  const options = { path, ...(config && { config }) };
  const files = quantFilesOf(views, { ...options, format, file: weights.location });
  const kind = files.read(views, options);
  const [first] = [...tensors.values()] as [LocatedTensor];
  const stored: RowSource = {
    shape: kind.shape,
    dtype: fromCoreDType(kind.dtype),
    at: { file: first.file, offset: first.offset, bytes: 0 },
    packed: {
      method: files.method,
      path,
      config,
      tensors: Object.fromEntries([...tensors].map(([key, tensor]) => [key, locationOf(tensor)])),
    },
  };
  return { source: isTurned(path, model?.model_type) ? turned(stored) : stored, format, files, kind, tensors };
}
