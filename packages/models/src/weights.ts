import { observeReads, toCoreDType, type WeightSource } from "@weft/io-safetensors";
import { type Device, DTypeError, FormatError, fromBytes, fromSource, type LongCallOptions, type Tensor } from "@weft/tensor-core";

/** A model's parameters under the names of the Python original; dtypes as stored. */
export type Weights = ReadonlyMap<string, Tensor>;

export interface LoadOptions extends LongCallOptions {
  /** What is read; every tensor of the checkpoint if not given. */
  readonly names?: Iterable<string>;
  readonly device?: Device;
}

/**
 * Reads tensors of a checkpoint: with `device` straight into its memory, so that JavaScript holds none of them; one that is disposed of is read again
 * when it is used, for which the checkpoint must still be open. Without `device` they lie in JavaScript's memory.
 * @throws FormatError kind `missing-tensor`; DTypeError for dtypes that nothing computes with; CancelledError
 */
export async function loadWeights(source: WeightSource, { names = source.names(), device, ...call }: LoadOptions = {}): Promise<Weights> {
  const wanted = [...names];
  const missing = wanted.filter((name) => !source.has(name));
  if (missing.length > 0) {
    const more = missing.length > 5 ? ` and ${missing.length - 5} more` : "";
    throw new FormatError(`${source.location}: the checkpoint lacks ${missing.slice(0, 5).join(", ")}${more}`, {
      kind: "missing-tensor",
      file: source.location,
      tensor: missing[0]!,
      hint: "is this the checkpoint of another architecture, or of another size?",
    });
  }
  const weights = new Map<string, Tensor>();
  // The first reads are watched and can be stopped; later ones belong to whoever needs the tensor again.
  let reader = observeReads(source, call, wanted);
  try {
    for (const name of wanted) {
      const { dtype, shape } = source.info(name);
      const core = toCoreDType(dtype);
      if (!core)
        throw new DTypeError(`${source.location}: tensor ${name} is ${dtype}, which is not computed with`, {
          tensor: name,
          file: source.location,
        });
      const read = async (): Promise<Uint8Array> => (await reader.read(name)).data;
      const weight = device ? fromSource({ shape, dtype: core, device, read }) : fromBytes(await read(), shape, core);
      weights.set(name, weight);
      await device?.load([weight]);
    }
  } catch (error) {
    for (const weight of weights.values()) weight.dispose();
    throw error;
  }
  reader = source;
  return weights;
}

/** A parameter that must be there. @throws FormatError naming it */
export function weightOf(weights: Weights, name: string): Tensor {
  const found = weights.get(name);
  if (!found) throw new FormatError(`the model has no parameter ${name}`, { kind: "missing-tensor", tensor: name });
  return found;
}
