import { bytesPerElement, contiguousStrides, type DType, type Operand, sizeOf } from "@weft/tensor-core";
import type { LowerContext } from "./context.js";

/** An operand of the plan, or an intermediate result of a lowered step, which lies at a fixed address. */
export interface Place extends Operand {
  readonly address?: number;
}

/** A contiguous intermediate result, there as long as the lowered plan. */
export function temporary(context: LowerContext, shape: readonly number[], dtype: DType): Place {
  const address = context.allocate(sizeOf(shape) * bytesPerElement(dtype));
  return { buffer: -1, dtype, shape, strides: contiguousStrides(shape), offset: 0, address };
}

/** Byte address of the first element. */
export function placeOf(place: Place, addresses: Int32Array): number {
  return ((place.address ?? addresses[place.buffer]!) + place.offset * bytesPerElement(place.dtype)) >>> 0;
}
