import type { LocatedTensor, Quantization, WeightSource } from "@weft/io-safetensors";
import { type ModuleTensors, quantFilesOf, quantizedTensors } from "@weft/quant-nf4-awq";
import { fromCoreDType } from "@weft/io-safetensors";
import type { ModelConfig } from "../../changes/tied.js";
import type { TensorLocation } from "../../plan/tensor-job.js";
import type { RowSource } from "../../quantize/row-source.js";

/** The quantised weights of a checkpoint as values, by the names that they would have unquantised. */
export interface Unpacked {
  readonly weights: ReadonlyMap<string, RowSource>;
  /** Tensors that the weights lie in. */
  readonly parts: ReadonlySet<string>;
}

const locationOf = ({ file, offset, bytes, dtype, shape }: LocatedTensor): TensorLocation => ({ file, offset, bytes, dtype, shape });

/**
 * Finds how the quantised weights of a checkpoint are read. Small tensors that tell (states, shapes) are read, and codes are not.
 * @throws FormatError kind `quantized-weight`; CapabilityError kind `quantized-base` for a format that is not read
 */
export async function unpackedSources(
  weights: WeightSource,
  quantization: Quantization,
  model: ModelConfig | undefined,
): Promise<Unpacked> {
  const found = new Map<string, RowSource>();
  const parts = new Set<string>();
  const config = model?.quantization_config as { readonly [field: string]: unknown } | undefined;
  for (const [path, own] of quantizedTensors(weights.names(), quantization.weights.keys())) {
    const located = new Map([...own].map(([key, name]) => [key, weights.info(name)]));
    const views: ModuleTensors = new Map(
      await Promise.all(
        [...located].map(async ([key, { name, dtype, shape, bytes }]) => {
          // Codes are many: a view of zeros has their length and costs no memory before it is touched.
          const data = bytes <= 4096 ? (await weights.read(name)).data : new Uint8Array(bytes);
          return [key, { dtype, shape, data }] as const;
        }),
      ),
    );
    const options = { path, ...(config && { config }) };
    const files = quantFilesOf(views, { ...options, format: quantization.weights.get(path)!, file: weights.location });
    const { shape, dtype } = files.read(views, options);
    const tensors = Object.fromEntries([...located].map(([key, tensor]) => [key, locationOf(tensor)]));
    const [first] = [...located.values()] as [LocatedTensor];
    found.set(`${path}.weight`, {
      shape,
      dtype: fromCoreDType(dtype),
      at: { file: first.file, offset: first.offset, bytes: 0 },
      packed: { method: files.method, path, config, tensors },
    });
    for (const name of own.values()) parts.add(name);
  }
  return { weights: found, parts };
}
