import {
  add,
  bitAnd,
  bitXor,
  cast,
  type DType,
  equal,
  lookup,
  type MatrixShape,
  mul,
  type PartSpec,
  position,
  reshape,
  shiftRight,
  sub,
  type Tensor,
  where,
} from "@weft/tensor-core";

/* Graph that formats have in common. */

/** An integer tensor as i32. */
export const int = (t: Tensor): Tensor => cast(t, "i32");
/** A tensor as f32. */
export const float = (t: Tensor): Tensor => cast(t, "f32");
/** Elements of a part by their numbers in row-major order. */
export const flat = (t: Tensor, at: Tensor): Tensor => lookup(reshape(t, [-1]), at);

/** A part whose `elements` elements along `axis` belong to `rows` rows of the weight; to all of them without `axis`. */
export const part = (shape: readonly number[], dtype: DType, axis?: number, elements = 1, rows = 1): PartSpec => ({
  shape,
  dtype,
  ...(axis !== undefined && { rows: { axis, elements, rows } }),
});

/** The number of every element of a weight, row-major, i32 [out, in]. */
export function flatPosition(shape: MatrixShape): Tensor {
  const { row, column } = position(shape);
  return add(mul(row, shape[1]), column);
}

/** The code of four bits at place `at`, two in a byte. */
export function nibbleAt(bytes: Tensor, at: Tensor, first: "high" | "low"): Tensor {
  const pair = int(flat(bytes, shiftRight(at, 1)));
  const [even, odd] = first === "high" ? [shiftRight(pair, 4), bitAnd(pair, 15)] : [bitAnd(pair, 15), shiftRight(pair, 4)];
  return where(equal(bitAnd(at, 1), 0), even, odd);
}

/** A byte 0 … 255 as the number -128 … 127 that its bits are. */
export const signedByte = (byte: Tensor): Tensor => sub(bitXor(byte, 128), 128);
