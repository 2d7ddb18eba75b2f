import type { LocatedTensor, Quantization, WeightSource } from "@weft/io-safetensors";
import { type ModuleTensors, QUANT_FILES } from "@weft/quant-nf4-awq";
import { fromCoreDType } from "@weft/io-safetensors";
import { CapabilityError } from "@weft/tensor-core";
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
  const names = [...weights.names()];
  for (const [path, format] of quantization.weights) {
    const prefix = `${path}.`;
    const own = names.filter((name) => name.startsWith(prefix) && !/^(bias|input_scale|.*\..*\.weight)$/.test(name.slice(prefix.length)));
    const located = new Map(own.map((name) => [name.slice(prefix.length), weights.info(name)]));
    const views: ModuleTensors = new Map(
      await Promise.all(
        [...located].map(async ([key, { name, dtype, shape, bytes }]) => {
          // Codes are many: a view of zeros has their length and costs no memory before it is touched.
          const data = bytes <= 4096 ? (await weights.read(name)).data : new Uint8Array(bytes);
          return [key, { dtype, shape, data }] as const;
        }),
      ),
    );
    const files = QUANT_FILES.find((one) => one.matches(views, config));
    if (!files)
      throw new CapabilityError(`${path}: this weight is quantised in a format that is not read (${format})`, {
        kind: "quantized-base",
        tensor: path,
        file: weights.location,
        hint: "start from the 16-bit checkpoint that was quantised",
      });
    const { shape, dtype } = files.read(views, { path, ...(config && { config }) });
    const tensors = Object.fromEntries([...located].map(([key, tensor]) => [key, locationOf(tensor)]));
    const [first] = [...located.values()] as [LocatedTensor];
    found.set(`${path}.weight`, {
      shape,
      dtype: fromCoreDType(dtype),
      at: { file: first.file, offset: first.offset, bytes: 0 },
      packed: { method: files.method, path, config, tensors },
    });
    for (const name of own) parts.add(name);
  }
  return { weights: found, parts };
}
