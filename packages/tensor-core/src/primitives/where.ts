import { DTypeError, ShapeError } from "../errors.js";
import { sameShape } from "../shape.js";
import { hull } from "./bounds.js";
import { sliceEach } from "./elementwise.js";
import type { Primitive } from "./primitive.js";

/** Condition ? a : b. */
export const where: Primitive = {
  name: "where",
  group: "select",
  pointwise: true,
  infer: ([c, a, b]) => {
    if (c!.dtype !== "bool" || a!.dtype !== b!.dtype)
      throw new DTypeError(`where: expected bool and two equal dtypes, got ${c!.dtype}, ${a!.dtype}, ${b!.dtype}`);
    if (!sameShape(c!.shape, a!.shape) || !sameShape(a!.shape, b!.shape))
      throw new ShapeError(`where: shapes [${c!.shape}], [${a!.shape}], [${b!.shape}] differ`);
    return a!;
  },
  gradient: ({ inputs: [c] }, dy, o) => [undefined, o.where(c!, dy, 0), o.where(c!, 0, dy)],
  slice: sliceEach,
  bounds: ([, a, b]) => hull([a!, b!]),
};
