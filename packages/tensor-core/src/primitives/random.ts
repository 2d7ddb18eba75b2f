import { sizeOf } from "../shape.js";
import { numbersOf } from "./attributes.js";
import type { Primitive } from "./primitive.js";
import { threefry } from "./threefry.js";

/** 32 random bits each from a key (i32[2]) by counter (Threefry-2x32). Attribute `shape`. */
export const random: Primitive = {
  name: "random",
  group: "random",
  infer: (_, attrs) => ({ shape: numbersOf(attrs, "shape"), dtype: "i32" }),
  reference: ([key], _, out) => threefry(key!.values, sizeOf(out.shape)),
};
