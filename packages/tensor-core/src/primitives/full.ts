import { boxShape } from "../box.js";
import type { DType } from "../dtype.js";
import { numbersOf } from "./attributes.js";
import type { Primitive } from "./primitive.js";

/** One value everywhere. Attributes `shape`, `value`, `dtype`. */
export const full: Primitive = {
  name: "full",
  group: "leaf",
  infer: (_, attrs) => ({ shape: numbersOf(attrs, "shape"), dtype: attrs.dtype as DType }),
  bounds: (_, { value }) => ({ least: Math.trunc(value as number), most: Math.trunc(value as number) }),
  slice: ({ attrs }, box) => ({ boxes: [], attrs: { ...attrs, shape: boxShape(box) } }),
};
