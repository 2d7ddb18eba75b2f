import { type Quantization, toCoreDType, type WeightSource } from "@weft/io-safetensors";
import { type ModuleTensors, quantFilesOf, type QuantizationConfig, type QuantizedWeight, quantizedTensors } from "@weft/quant-nf4-awq";
import { dequantize, type DType, isFloat } from "@weft/tensor-core";
import { denseParameters, type ParameterSource, type StoredPart } from "./parameter-source.js";

/**
 * The parameters of a checkpoint some of whose weights are quantised: those stay packed. Their values are of the dtype that the other tensors have, as transformers computes in one.
 * @param quantization what `findQuantization` says of the checkpoint
 */
export function quantizedParameters(
  source: WeightSource,
  { weights }: Quantization,
  config: QuantizationConfig | undefined,
): ParameterSource {
  const modules = quantizedTensors(source.names(), weights.keys());
  const stored = new Set([...modules.values()].flatMap((tensors) => [...tensors.values()]));
  const packed = new Map([...modules].map(([path, tensors]) => [`${path}.weight`, { path, tensors }]));
  const dense = denseParameters(source);
  const plain = [...source.names()].filter((name) => !stored.has(name));
  const dtype = computedIn(source, plain);
  const read = async (path: string, tensors: ReadonlyMap<string, string>): Promise<QuantizedWeight> => {
    const views: ModuleTensors = new Map(
      await Promise.all([...tensors].map(async ([key, name]) => [key, await source.read(name)] as const)),
    );
    const options = { path, ...(config && { config }) };
    const weight = quantFilesOf(views, { ...options, format: weights.get(path)!, file: source.location }).read(views, options);
    return { ...weight, dtype: dtype ?? weight.dtype };
  };
  return {
    location: source.location,
    names: () => [...plain, ...packed.keys()],
    has: (name) => packed.has(name) || (source.has(name) && !stored.has(name)),
    bytes: (name) => [...(packed.get(name)?.tensors.values() ?? [name])].reduce((sum, tensor) => sum + source.info(tensor).bytes, 0),
    async parameter(name) {
      const found = packed.get(name);
      if (!found) return dense.parameter(name);
      const { path, tensors } = found;
      const { format, shape, dtype: values, parts } = await read(path, tensors);
      // The parts come of all tensors of the module together: those of the first reading are handed out once.
      const held = new Map(Object.entries(parts));
      const part =
        (key: string): StoredPart["read"] =>
        async () => {
          const bytes = held.get(key) ?? (await read(path, tensors)).parts[key]!;
          held.delete(key);
          return bytes;
        };
      return {
        parts: Object.fromEntries(
          Object.entries(format.parts(shape)).map(([key, spec]) => [key, { shape: spec.shape, dtype: spec.dtype, read: part(key) }]),
        ),
        of: (own) => dequantize({ format, shape, dtype: values, parts: own }),
      };
    },
  };
}

/** The dtype of the largest of the tensors that are no parts of quantised weights. */
function computedIn(source: WeightSource, plain: readonly string[]): DType | undefined {
  const floats = plain.flatMap((name) => {
    const { dtype: stored, bytes } = source.info(name);
    const dtype = toCoreDType(stored);
    return dtype && isFloat(dtype) ? [{ dtype, bytes }] : [];
  });
  return floats.toSorted((a, b) => b.bytes - a.bytes)[0]?.dtype;
}
