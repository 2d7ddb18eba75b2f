import { toCoreDType, type WeightSource } from "@weft/io-safetensors";
import { type Device, DTypeError, FormatError, fromBytes, type Tensor } from "@weft/tensor-core";

/** A model's parameters under the names of the Python original; dtypes as stored. */
export type Weights = ReadonlyMap<string, Tensor>;

/** Reads every tensor of a checkpoint. @throws DTypeError for dtypes that nothing computes with */
export async function loadWeights(source: WeightSource, device?: Device): Promise<Weights> {
  const weights = new Map<string, Tensor>();
  for (const name of source.names()) {
    const { dtype, shape, data } = await source.read(name);
    const core = toCoreDType(dtype);
    if (!core) throw new DTypeError(`${source.location}: tensor ${name} is ${dtype}, which is not computed with`, { tensor: name, file: source.location });
    weights.set(name, fromBytes(data, shape, core, device));
  }
  return weights;
}

/** A parameter that must be there. @throws FormatError naming it */
export function weightOf(weights: Weights, name: string): Tensor {
  const found = weights.get(name);
  if (!found) throw new FormatError(`the checkpoint has no tensor ${name}`, { kind: "missing-tensor", tensor: name, hint: "is this the checkpoint of another architecture?" });
  return found;
}
