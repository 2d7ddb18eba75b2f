import {
  bytesPerElement,
  CapabilityError,
  type DType,
  type Device,
  disposeTree,
  type Format,
  FormatError,
  fromBytes,
  type MatrixShape,
  type PackedWeight,
  type Parts,
  ShapeError,
  sizeOf,
  type Tensor,
} from "@weft/tensor-core";

/** The parts of a weight as bytes (little-endian, row-major), by name: what files hold. */
export type PartBytes = { readonly [part: string]: Uint8Array };

/** A `Format` whose weights are also made here. */
export interface QuantFormat extends Format {
  /** Bits of a code. */
  readonly bits: number;
  /** The values that codes stand for before scales and zero points, the lowest code's first. */
  readonly levels: Float32Array;
  /** The codes, i32 [out, in]. */
  codes(parts: Parts, shape: MatrixShape): Tensor;
  /**
   * The parts of a weight of f32 values, row-major. Formats without it are only read.
   * @param largest of formats with `readsLargest`: the largest magnitude of the weight that these are rows of; that of the values if not given
   */
  readonly encode?: (values: Float32Array, shape: MatrixShape, largest?: number) => PartBytes;
  /** Every row is stored by the largest magnitude of all rows. */
  readonly readsLargest?: boolean;
  /** Formats whose parts are those of another, stored in fewer bits when all rows are there. */
  readonly packs?: { readonly format: QuantFormat; parts(of: PartBytes): PartBytes };
  /** The same by what each input counts, [in]. */
  readonly encodeWeighted?: (values: Float32Array, shape: MatrixShape, importance: Float32Array) => PartBytes;
}

/** A weight as it is stored, in host memory. */
export interface QuantizedWeight {
  readonly format: QuantFormat;
  readonly shape: MatrixShape;
  /** What its values are rounded to when they are computed: the dtype of the weight that was quantised, or f16 for programs that compute in it. */
  readonly dtype: DType;
  readonly parts: PartBytes;
}

/** Bytes of a weight in a format, all parts together. */
export const bytesPer = (format: Format, shape: MatrixShape): number =>
  Object.values(format.parts(shape)).reduce((sum, part) => sum + sizeOf(part.shape) * bytesPerElement(part.dtype), 0);

/** The first value that is no finite number; -1 if there is none. */
function firstNonFinite(values: Float32Array): number {
  for (let i = 0; i < values.length; i++) if (!(Math.abs(values[i]!) < Infinity)) return i;
  return -1;
}

/**
 * Stores a weight in a format.
 * @param weight f32 [out, in], row-major
 * @param dtype what the values are rounded to when they are computed again
 * @param importance what each input counts, [in]: llama.cpp's importance matrix, the mean of x² over tokens (`importanceOf` statistics); for formats with `encodeWeighted`
 * @throws ShapeError if the number of values or the length of a row does not fit; FormatError kind `non-finite`; CapabilityError kind `unwritable-format`, also for an importance
 * that the format does not take
 */
export function quantize(
  weight: Float32Array,
  shape: MatrixShape,
  format: QuantFormat,
  dtype: DType = "f32",
  importance?: Float32Array,
): QuantizedWeight {
  const [out, width] = shape;
  if (weight.length !== out * width) throw new ShapeError(`${format.name}: ${weight.length} values for a weight of [${shape}]`);
  assertWritable(format, shape);
  assertFinite(format, weight, width);
  if (!importance) return { format, shape, dtype, parts: format.encode!(weight, shape) };
  assertImportance(importance, width, format);
  return { format, shape, dtype, parts: format.encodeWeighted!(weight, shape, importance) };
}

/** @throws ShapeError if rows are no multiple of the format's block; CapabilityError kind `unwritable-format` */
export function assertWritable(format: QuantFormat, shape: MatrixShape): void {
  assertBlocks(format, shape);
  if (format.encode) return;
  throw new CapabilityError(`${format.name} is read, not written`, {
    kind: "unwritable-format",
    hint: "take one of those that FORMATS says are written",
  });
}

/** @param first number of the first row @throws FormatError kind `non-finite` naming the row and column */
export function assertFinite({ name }: Format, values: Float32Array, width: number, first = 0): void {
  const bad = firstNonFinite(values);
  if (bad < 0) return;
  throw new FormatError(
    `${name}: the value at [${first + Math.floor(bad / width)}, ${bad % width}] is ${values[bad]}, expected a finite number`,
    {
      kind: "non-finite",
      hint: "mend the weight: a block that holds such a value loses all others",
    },
  );
}

/** @throws CapabilityError kind `unwritable-format`, ShapeError, FormatError kind `non-finite` */
export function assertImportance(importance: Float32Array, width: number, format: QuantFormat): void {
  if (!format.encodeWeighted)
    throw new CapabilityError(`${format.name} does not take an importance of inputs`, {
      kind: "unwritable-format",
      hint: "Q2_K, Q3_K, Q4_K, Q5_K and Q6_K do",
    });
  if (importance.length !== width)
    throw new ShapeError(`${format.name}: the importance is of ${importance.length} inputs, the weight has ${width}`);
  const bad = importance.findIndex((v) => !(v >= 0 && v < Infinity));
  if (bad >= 0)
    throw new FormatError(
      `${format.name}: the importance of input ${bad} is ${importance[bad]}, expected a finite number that is not negative`,
      {
        kind: "non-finite",
      },
    );
}

/** @throws ShapeError if rows are no multiple of the format's block */
export function assertBlocks(format: Format, [out, width]: MatrixShape): void {
  if (width % format.block !== 0)
    throw new ShapeError(`${format.name}: rows of [${out},${width}] are no multiple of the block of ${format.block} elements`, {
      hint: "keep this weight in 16 bits, or take a format with a smaller block",
    });
}

/**
 * A stored weight for computing: `dequantize`, `quantLinear`, or a model's weight. Its parts are not copied until a device needs them.
 * @throws ShapeError if a part has other bytes than its format says
 */
export function toPacked({ format, shape, dtype, parts }: QuantizedWeight, device?: Device): PackedWeight {
  const tensors = Object.entries(format.parts(shape)).map(([name, spec]) => {
    const bytes = parts[name];
    if (!bytes) throw new ShapeError(`${format.name} of [${shape}]: part ${name} is missing`);
    return [name, fromBytes(bytes, spec.shape, spec.dtype, device)] as const;
  });
  return { format, shape, dtype, parts: Object.fromEntries(tensors) };
}

/** The values of what `of` makes of a stored weight; a device keeps nothing of it. */
export async function valuesOf(
  weight: QuantizedWeight,
  of: (packed: PackedWeight) => readonly Tensor[],
  device?: Device,
): Promise<(Float32Array | Int32Array)[]> {
  const packed = toPacked(weight, device);
  const results = of(packed);
  try {
    return (await Promise.all(results.map((t) => t.data()))) as (Float32Array | Int32Array)[];
  } finally {
    disposeTree([results, packed.parts]);
  }
}

/** The codes of a stored weight, one number each, row-major [out, in]. */
export const unpack = async (weight: QuantizedWeight, device?: Device): Promise<Int32Array> =>
  (await valuesOf(weight, ({ parts }) => [weight.format.codes(parts, weight.shape)], device))[0] as Int32Array;
