import { type DType, bytesPerElement, ShapeError, type MatrixShape } from "@weft/tensor-core";
import { fourBit } from "./bitsandbytes/four-bit.js";
import { bytesPer, quantize, type QuantizedWeight } from "./quant-format.js";

/** Rows of numbers, or all of them in one array with a shape. */
export type PlainWeight = readonly (readonly number[])[] | { readonly data: Float32Array; readonly shape: MatrixShape };

/** How a weight becomes NF4. */
export interface QuantizeNF4Options {
  /** Neighbours that share a scale: 32, 64 (default), 128 … 4096. */
  readonly groupSize?: number;
  /** Store the scales in eight bits. Default false. */
  readonly doubleQuant?: boolean;
  /** What the values are rounded to when they are computed. Default f32. */
  readonly dtype?: DType;
}

/** A weight as one array. @throws ShapeError for rows of different lengths */
export function flatWeight(weight: PlainWeight): { readonly data: Float32Array; readonly shape: MatrixShape } {
  if ("data" in weight) return weight;
  const width = weight[0]?.length ?? 0;
  const ragged = weight.findIndex((row) => row.length !== width);
  if (ragged >= 0) throw new ShapeError(`row ${ragged} of the weight has ${weight[ragged]!.length} numbers, row 0 has ${width}`);
  return { data: Float32Array.from(weight.flat()), shape: [weight.length, width] };
}

/**
 * A weight [out, in] in NF4: four bits for each number and a scale for each group.
 * @throws ShapeError, ConfigError for a group size that bitsandbytes does not have; FormatError kind `non-finite`
 */
export function quantizeNF4(
  weight: PlainWeight,
  { groupSize = 64, doubleQuant = false, dtype = "f32" }: QuantizeNF4Options = {},
): QuantizedWeight {
  const { data, shape } = flatWeight(weight);
  return quantize(data, shape, fourBit({ blocksize: groupSize, doubleQuant }), dtype);
}

/** What storing a weight so saves. */
export interface MemorySaved {
  readonly bytes: number;
  /** Of the same weight as numbers of `dtype`. */
  readonly denseBytes: number;
  /** 1 - bytes / denseBytes. */
  readonly saved: number;
}

/** The memory that a stored weight takes, and what it saves. @param dtype what it is compared with; f32 if not given */
export function memorySaved({ format, shape }: QuantizedWeight, dtype: DType = "f32"): MemorySaved {
  const bytes = bytesPer(format, shape);
  const denseBytes = shape[0] * shape[1] * bytesPerElement(dtype);
  return { bytes, denseBytes, saved: 1 - bytes / denseBytes };
}
