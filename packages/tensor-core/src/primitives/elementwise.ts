import { type DType, isFloat } from "../dtype.js";
import { DTypeError, ShapeError } from "../errors.js";
import { sameShape } from "../shape.js";
import type { TensorSpec } from "../tensor-spec.js";
import type { Ops } from "./ops.js";
import type { GradientRule, Primitive, SliceRule } from "./primitive.js";

/** y = f(x), elementwise. */
export interface UnaryPrimitive extends Primitive {
  /** The function in f64; who stores the result rounds it (integers: truncates and wraps). */
  readonly f64: (x: number) => number;
}

/** y = f(a, b), elementwise, of equal shapes and dtypes. */
export interface BinaryPrimitive extends Primitive {
  /** The function in f64; who stores the result rounds it. Comparisons give 0 or 1. */
  readonly f64: (a: number, b: number) => number;
  /** The function of integers, where it is another one than that of floats. */
  readonly integer?: (a: number, b: number) => number;
}

/** What is a primitive's own; the rest is the same for all of its kind. */
type Own<P extends Primitive> = Omit<P, "group" | "infer" | "slice" | "pointwise">;

/** The slice rule of what works position by position. */
export const sliceEach: SliceRule = ({ inputs }, box) => ({ boxes: inputs.map(() => box) });

export function unary(own: Own<UnaryPrimitive>): UnaryPrimitive {
  return { ...own, group: "unary", pointwise: true, infer: ([x]) => x!, slice: sliceEach };
}

function inferBinary(name: string, dtype?: DType): Primitive["infer"] {
  return ([a, b]) => {
    if (!sameShape(a!.shape, b!.shape)) throw new ShapeError(`${name}: shapes [${a!.shape}] and [${b!.shape}] differ`);
    if (a!.dtype !== b!.dtype) throw new DTypeError(`${name}: dtypes ${a!.dtype} and ${b!.dtype} differ`);
    return { shape: a!.shape, dtype: dtype ?? a!.dtype };
  };
}

export function binary(own: Own<BinaryPrimitive>): BinaryPrimitive {
  return { ...own, group: "binary", pointwise: true, infer: inferBinary(own.name), slice: sliceEach };
}

/** An operation on the bits of integers (two's complement). Registers hold 32 of them; narrower dtypes wrap on being stored. */
export function bitwise(own: Own<BinaryPrimitive>): BinaryPrimitive {
  const same = inferBinary(own.name);
  return {
    ...binary(own),
    infer: (inputs, attrs) => {
      const { dtype } = inputs[0]!;
      if (isFloat(dtype))
        throw new DTypeError(`${own.name}: expected integers, got ${dtype}`, { hint: "bitcast gives the bits of a float" });
      return same(inputs, attrs);
    },
  };
}

/** A test of two elements: a bool. */
export function comparison(name: string, test: (a: number, b: number) => boolean): BinaryPrimitive {
  return { ...binary({ name, f64: (a, b) => (test(a, b) ? 1 : 0) }), infer: inferBinary(name, "bool") };
}

/** The gradient rule of y = f(x) with the derivative f': dx = dy · f'(x). */
export function derivative(slope: <T extends TensorSpec>(x: T, y: T, o: Ops<T>) => T): GradientRule {
  return ({ inputs: [x], output }, dy, o) => [o.mul(dy, slope(x!, output, o))];
}

/** The function of one element of `dtype`. */
export function functionOf({ f64, integer }: BinaryPrimitive, dtype: DType): (a: number, b: number) => number {
  return isFloat(dtype) ? f64 : (integer ?? f64);
}
