import type { DType } from "../dtype.js";
import type { Format, MatrixShape, PackedWeight, Parts } from "../formats/format.js";
import type { Composite, Node, Tensor } from "../graph.js";

const formats = new WeakMap<Composite, Format>();

/** Notes the format that a definition of `dequantize` is for. */
export const setFormat = (definition: Composite, format: Format): void => void formats.set(definition, format);

/** The packed weight that a call of `dequantize` stands for. */
export function packedOf({ composite, inputs, attrs }: Node): PackedWeight {
  const format = formats.get(composite!.definition)!;
  const shape = attrs.shape as unknown as MatrixShape;
  return { format, shape, dtype: attrs.dtype as DType, parts: partsOf(format, shape, inputs) };
}

/** The inputs of a call by the names of the format's parts. */
export const partsOf = (format: Format, shape: MatrixShape, inputs: readonly Tensor[]): Parts =>
  Object.fromEntries(Object.keys(format.parts(shape)).map((name, i) => [name, inputs[i]!]));
