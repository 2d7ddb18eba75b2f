import type { DType } from "../dtype.js";
import { sliceEach } from "./elementwise.js";
import type { Primitive } from "./primitive.js";

/** Attribute `dtype`. */
export const cast: Primitive = {
  name: "cast",
  group: "unary",
  meaning: "another dtype, rounded to nearest even",
  pointwise: true,
  infer: ([x], attrs) => ({ shape: x!.shape, dtype: attrs.dtype as DType }),
  gradient: ({ inputs: [x] }, dy, o) => [o.cast(dy, x!.dtype)],
  slice: sliceEach,
};
