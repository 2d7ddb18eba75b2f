import { decodeElement, encodeElement, rawView } from "../convert/storage.js";
import { bytesPerElement } from "../dtype.js";
import type { Operand } from "../plan/plan.js";
import { sizeOf } from "../shape.js";

/** The bytes that a plan's buffer id stands for. */
export type Memory = (buffer: number) => Uint8Array;

/** Calls `visit` with the element offset of every position of a strided view, in row-major order. */
function forEachOffset(shape: readonly number[], strides: readonly number[], offset: number, visit: (at: number, i: number) => void): void {
  const total = sizeOf(shape);
  const position = shape.map(() => 0);
  let at = offset;
  for (let i = 0; i < total; i++) {
    visit(at, i);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at += strides[axis]!;
      if (++position[axis]! < shape[axis]!) break;
      at -= strides[axis]! * shape[axis]!;
      position[axis] = 0;
    }
  }
}

/** The values of a view in row-major order, as f64. */
export function readOperand(memory: Memory, operand: Operand): Float64Array {
  const raw = rawView(memory(operand.buffer), operand.dtype);
  const values = new Float64Array(sizeOf(operand.shape));
  forEachOffset(operand.shape, operand.strides, operand.offset, (at, i) => {
    values[i] = decodeElement(raw[at]!, operand.dtype);
  });
  return values;
}

/** Stores values through a view, rounded to its dtype. */
export function writeOperand(memory: Memory, operand: Operand, values: ArrayLike<number>): void {
  const bytes = memory(operand.buffer);
  if (bytes.byteOffset % bytesPerElement(operand.dtype) !== 0)
    throw new RangeError(`buffer ${operand.buffer} is not aligned to ${operand.dtype}`);
  const raw = rawView(bytes, operand.dtype);
  forEachOffset(operand.shape, operand.strides, operand.offset, (at, i) => {
    raw[at] = encodeElement(values[i]!, operand.dtype);
  });
}
