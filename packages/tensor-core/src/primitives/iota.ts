import { axisOf, numbersOf } from "./attributes.js";
import type { Primitive } from "./primitive.js";

/** The position along an axis, i32. Attributes `shape`, `axis`. */
export const iota: Primitive = {
  name: "iota",
  group: "leaf",
  infer: (_, attrs) => ({ shape: numbersOf(attrs, "shape"), dtype: "i32" }),
  bounds: (_, attrs) => ({ least: 0, most: numbersOf(attrs, "shape")[axisOf(attrs)]! - 1 }),
};
