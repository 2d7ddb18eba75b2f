import { type DType, bytesPerElement, isFloat } from "../dtype.js";
import { DTypeError } from "../errors.js";
import { sliceEach } from "./elementwise.js";
import type { Primitive } from "./primitive.js";

/** There is no integer of 16 bits: i32 stands for it. */
const isHalf = (dtype: DType): boolean => isFloat(dtype) && bytesPerElement(dtype) === 2;

/** The same bits read as another dtype of that width; f16 and bf16 as the low half of i32 and back. Attribute `dtype`. */
export const bitcast: Primitive = {
  name: "bitcast",
  group: "unary",
  pointwise: true,
  infer: ([x], attrs) => {
    const [from, to] = [x!.dtype, attrs.dtype as DType];
    const same = bytesPerElement(from) === bytesPerElement(to);
    const halves = (isHalf(from) && to === "i32") || (from === "i32" && isHalf(to));
    if (from === "bool" || to === "bool" || !(same || halves)) throw new DTypeError(`bitcast: ${from} has no bits that a ${to} is made of`);
    return { shape: x!.shape, dtype: to };
  },
  slice: sliceEach,
};
