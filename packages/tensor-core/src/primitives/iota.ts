import { numbersOf } from "./attributes.js";
import type { Primitive } from "./primitive.js";

/** Attributes `shape`, `axis`. */
export const iota: Primitive = {
  name: "iota",
  group: "leaf",
  meaning: "the position along an axis, i32",
  infer: (_, attrs) => ({ shape: numbersOf(attrs, "shape"), dtype: "i32" }),
};
