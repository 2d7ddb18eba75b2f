import { bytesPerElement, CapabilityError, dequantize, type DType, type Format, type MatrixShape, sizeOf } from "@weft/tensor-core";
import type { ParameterSource, StoredPart } from "./parameter-source.js";

/** How parameters that are not here would be stored. */
export interface UnreadOptions {
  /** What they are stored as, and what packed ones compute in: bf16 if not given. */
  readonly dtype?: DType;
  /** The format that a parameter is packed in; undefined leaves it dense. */
  readonly pack?: (name: string, shape: readonly number[]) => Format | undefined;
}

const part = (name: string, shape: readonly number[], stored: DType): StoredPart => ({
  shape,
  dtype: stored,
  read: () =>
    Promise.reject(
      new CapabilityError(`${name}: this model was made of its config alone, to see what it takes`, {
        kind: "no-weights",
        tensor: name,
        hint: "load it from its checkpoint",
      }),
    ),
});

/**
 * Parameters of a checkpoint that is not here, by their names and shapes: of a model made of them everything can be asked but values, so that what it takes is
 * known before it is fetched.
 * @param shapes by `parameterShapes`
 */
export function unreadParameters(
  shapes: ReadonlyMap<string, readonly number[]>,
  { dtype = "bf16", pack = () => undefined }: UnreadOptions = {},
): ParameterSource {
  const partsOf = (name: string): { readonly format: Format | undefined; readonly parts: Record<string, StoredPart> } => {
    const shape = shapes.get(name)!;
    const format = pack(name, shape);
    if (!format) return { format, parts: { values: part(name, shape, dtype) } };
    const specs = Object.entries(format.parts(shape as MatrixShape));
    return { format, parts: Object.fromEntries(specs.map(([key, spec]) => [key, part(name, spec.shape, spec.dtype)])) };
  };
  return {
    location: "config.json",
    names: () => shapes.keys(),
    has: (name) => shapes.has(name),
    bytes: (name) => Object.values(partsOf(name).parts).reduce((sum, { shape, dtype: of }) => sum + sizeOf(shape) * bytesPerElement(of), 0),
    parameter(name) {
      const { format, parts } = partsOf(name);
      const shape = shapes.get(name) as MatrixShape;
      return Promise.resolve({
        parts,
        of: (own) => (format ? dequantize({ format, shape, dtype, parts: own }) : own["values"]!),
      });
    },
  };
}
