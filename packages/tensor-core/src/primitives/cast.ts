import type { DType } from "../dtype.js";
import { sliceEach } from "./elementwise.js";
import type { Primitive } from "./primitive.js";

/**
 * Another dtype: floats to the nearest value, ties to even, or toward zero to an integer; anything but 0 is true.
 * Attribute `dtype`. What a float becomes as an integer is defined for all of them, and the same on every backend: NaN is 0; others lose
 * their fraction and are held within i32 (infinities too), from where i8 and u8 take the low 8 bits, as all casts between integers do.
 * Within i32 that is what torch does on x86; beyond, C++ and so torch leave it open.
 */
export const cast: Primitive = {
  name: "cast",
  group: "unary",
  pointwise: true,
  infer: ([x], attrs) => ({ shape: x!.shape, dtype: attrs.dtype as DType }),
  gradient: ({ inputs: [x] }, dy, o) => [o.cast(dy, x!.dtype)],
  slice: sliceEach,
  bounds: ([x]) => x,
};
