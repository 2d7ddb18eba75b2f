import type { DType } from "../dtype.js";
import { DTypeError, ShapeError } from "../errors.js";
import type { Tensor } from "../graph.js";
import { assertDType, bytesPerElement } from "../dtype.js";
import { iota } from "../ops/create.js";
import { sameShape, sizeOf } from "../shape.js";
import type { TensorSpec } from "../tensor-spec.js";

/** [out, in] of a weight: rows are outputs. */
export type MatrixShape = readonly [out: number, width: number];

/** One of the tensors that a packed weight lies in. */
export interface PartSpec extends TensorSpec {
  /**
   * How the rows of the weight follow one another in the part: along `axis`, with `elements` elements for every `rows` rows. Without it every row may
   * need any of it (a table, a number for the whole weight, what belongs to columns).
   */
  readonly rows?: { readonly axis: number; readonly elements: number; readonly rows: number };
}

/** The parts of a weight, by name. */
export type Parts = { readonly [name: string]: Tensor };

/**
 * A format whose weights are whole numbers with a scale and a zero point for each group of neighbours in a row: w[o, i] = scales[o, g] · (codes[o, i] -
 * zeros[o, g]) + minima[o, g], g = ⌊i / group⌋. Backends with kernels for such weights read them so.
 */
export interface AffineForm {
  /** Of a code, at most 8: codes are 0 … 2^bits - 1. */
  readonly bits: number;
  /** Neighbours in a row that share a scale; -1 for all of a row. */
  readonly group: number;
  /** i32 [out, in]. */
  codes(parts: Parts, shape: MatrixShape): Tensor;
  /** f32 [out, ⌈in / group⌉]. */
  scales(parts: Parts, shape: MatrixShape): Tensor;
  /** One for all, or i32 [out, ⌈in / group⌉]; 0 … 2^bits - 1. */
  readonly zeros: number | ((parts: Parts, shape: MatrixShape) => Tensor);
  /** f32 [out, ⌈in / group⌉]; 0 if not given. */
  readonly minima?: (parts: Parts, shape: MatrixShape) => Tensor;
}

/**
 * A way to store a weight [out, in] in fewer bits: what it lies in, and its values as a formula. All that runs on it follows from these two: reading
 * rows of it, fused loops, products on every backend. A format is a constant, one per variant (bits, group size); docs/adding-a-format.md tells how one is added.
 */
export interface Format {
  readonly name: string;
  /** Neighbours in a row that are stored together: a row must be a multiple of it. 1 if any length will do. */
  readonly block: number;
  /** The parts of a weight, in a fixed order. */
  parts(shape: MatrixShape): { readonly [name: string]: PartSpec };
  /**
   * The weight [out, in] in f32, elementwise in the parts: movements that only rename elements, arithmetic, bits, casts and bitcasts, `lookup` by
   * numbers computed from `position(shape)`. Kernels compute it element by element where they need it. Integers are exact, products and sums are rounded
   * to f32 in the order written.
   */
  decode(parts: Parts, shape: MatrixShape): Tensor;
  /** The same values, up to rounding, as whole numbers with scales, of formats that are such: for backends that have kernels for these. */
  readonly affine?: AffineForm;
}

/** A weight as it is stored. */
export interface PackedWeight {
  readonly format: Format;
  readonly shape: MatrixShape;
  /** What its values are rounded to when they are computed, as the library that made the format does; f32 if not given. */
  readonly dtype?: DType;
  readonly parts: Parts;
}

/** Row and column of every element of a weight, i32 [out, in]: what `decode` computes places in its parts with. */
export const position = (shape: MatrixShape): { readonly row: Tensor; readonly column: Tensor } => ({
  row: iota(shape, 0),
  column: iota(shape, 1),
});

/** Bytes that a row of a weight takes, all parts together, on average. */
export const bytesPerRow = (format: Format, shape: MatrixShape): number =>
  Object.values(format.parts(shape)).reduce((sum, p) => sum + sizeOf(p.shape) * bytesPerElement(p.dtype), 0) / shape[0];

/** @throws ShapeError, DTypeError naming the part that is missing or is not as the format says */
export function assertPacked({ format, shape, parts, dtype }: PackedWeight): void {
  if (dtype !== undefined) assertDType(dtype);
  if (shape[1] % format.block !== 0)
    throw new ShapeError(`${format.name}: rows of [${shape}] are no multiple of the block of ${format.block} elements`);
  for (const [name, spec] of Object.entries(format.parts(shape))) {
    const part = parts[name];
    if (!part || !sameShape(part.shape, spec.shape))
      throw new ShapeError(
        `${format.name} of [${shape}]: part ${name} is ${part ? `[${part.shape}]` : "missing"}, expected [${spec.shape}]`,
      );
    if (part.dtype !== spec.dtype)
      throw new DTypeError(`${format.name} of [${shape}]: part ${name} is ${part.dtype}, expected ${spec.dtype}`, { tensor: name });
  }
}
