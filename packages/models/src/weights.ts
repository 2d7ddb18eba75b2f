import type { WeightSource } from "@weft/io-safetensors";
import { type Device, FormatError, fromBytes, fromSource, type LongCallOptions, type Tensor, throwIfAborted } from "@weft/tensor-core";
import { denseParameters, type ParameterSource } from "./sources/parameter-source.js";

/** A model's parameters under the names of the Python original; dtypes as stored. Packed ones are `dequantize` of their parts. */
export type Weights = ReadonlyMap<string, Tensor>;

export interface LoadOptions extends LongCallOptions {
  /** What is read; every tensor of the checkpoint if not given. */
  readonly names?: Iterable<string>;
  readonly device?: Device;
  /** Read weights when they are first needed on the device, instead of now: of a model that is gone through block by block no more than a block must lie there. */
  readonly whenNeeded?: boolean;
}

/**
 * Reads tensors of a checkpoint: with `device` straight into its memory, so that JavaScript holds none of them; one that is disposed of is read again
 * when it is used, from where it came: files of Node are opened for that. Without `device` they lie in JavaScript's memory.
 * @throws FormatError kind `missing-tensor`; DTypeError for dtypes that nothing computes with; CancelledError
 */
export async function loadWeights(
  source: WeightSource | ParameterSource,
  { names = source.names(), device, whenNeeded = false, signal, onProgress }: LoadOptions = {},
): Promise<Weights> {
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
  const parameters = "parameter" in source ? source : denseParameters(source);
  const total = wanted.reduce((sum, name) => sum + parameters.bytes(name), 0);
  const weights = new Map<string, Tensor>();
  const held: Tensor[] = [];
  let done = 0;
  try {
    for (const name of wanted) {
      const stored = await parameters.parameter(name);
      const parts: Record<string, Tensor> = {};
      for (const [part, { shape, dtype, read, readRows }] of Object.entries(stored.parts)) {
        throwIfAborted(signal);
        const tensor = device ? fromSource({ shape, dtype, device, read, readRows }) : fromBytes(await read(), shape, dtype);
        held.push((parts[part] = tensor));
        if (!whenNeeded) await device?.load([tensor]);
      }
      throwIfAborted(signal);
      weights.set(name, stored.of(parts));
      onProgress?.((done += parameters.bytes(name)), total);
    }
  } catch (error) {
    for (const tensor of held) tensor.dispose();
    throw error;
  }
  return weights;
}

/** A parameter that must be there. @throws FormatError naming it */
export function weightOf(weights: Weights, name: string): Tensor {
  const found = weights.get(name);
  if (!found) throw new FormatError(`the model has no parameter ${name}`, { kind: "missing-tensor", tensor: name });
  return found;
}
