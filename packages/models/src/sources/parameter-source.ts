import { toCoreDType, type WeightSource } from "@weft/io-safetensors";
import { type DType, DTypeError, type Parts, type Tensor } from "@weft/tensor-core";

/** One of the tensors that a parameter lies in. */
export interface StoredPart {
  readonly shape: readonly number[];
  readonly dtype: DType;
  /** Exactly its bytes; also again, as long as the checkpoint is open. */
  read(): Promise<Uint8Array>;
  /** The bytes of some of its rows, where these can be read alone. */
  readonly readRows?: ((start: number, stop: number) => Promise<Uint8Array>) | undefined;
}

/** A parameter as a checkpoint has it: dense, in one part, or packed in several. */
export interface StoredParameter {
  readonly parts: { readonly [name: string]: StoredPart };
  /** The parameter of its parts. */
  of(parts: Parts): Tensor;
}

/** Where a model's parameters come from, under the names of the Python original, however they are stored. */
export interface ParameterSource {
  /** What messages call it. */
  readonly location: string;
  names(): Iterable<string>;
  has(name: string): boolean;
  /** How many bytes are read for a parameter. */
  bytes(name: string): number;
  /** @throws FormatError, CapabilityError naming the tensor; DTypeError for dtypes that nothing computes with */
  parameter(name: string): Promise<StoredParameter>;
}

/** The tensors of a checkpoint as they are. */
export function denseParameters(source: WeightSource): ParameterSource {
  return {
    location: source.location,
    names: () => source.names(),
    has: (name) => source.has(name),
    bytes: (name) => source.info(name).bytes,
    async parameter(name) {
      const { dtype: stored, shape } = source.info(name);
      const dtype = toCoreDType(stored);
      if (!dtype)
        throw new DTypeError(`${source.location}: tensor ${name} is ${stored}, which is not computed with`, {
          tensor: name,
          file: source.location,
        });
      const read = async (start?: number, stop?: number): Promise<Uint8Array> =>
        (await source.read(name, start === undefined ? undefined : [start, stop!])).data;
      return { parts: { values: { shape, dtype, read: () => read(), readRows: read } }, of: ({ values }) => values! };
    },
  };
}
