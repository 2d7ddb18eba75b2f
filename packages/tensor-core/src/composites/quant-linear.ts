import type { Attrs } from "../attrs.js";
import { applyPrimitive } from "../apply-primitive.js";
import type { Composite } from "../composite.js";
import type { DType } from "../dtype.js";
import type { Tensor } from "../graph.js";
import { cast } from "../ops/cast.js";
import { full, iota } from "../ops/create.js";
import { matmul } from "../ops/linear.js";
import { swapLast } from "../ops/movement.js";
import type { Program } from "../plan/plan.js";
import { sizeOf } from "../shape.js";

/** What a program of one elementwise output computes, as graph. */
function valueOf({ instructions, outputs, shape }: Program, inputs: readonly Tensor[]): Tensor {
  const values: Tensor[] = [];
  for (const i of instructions) {
    const { op, a, b, c } = i as { readonly op: string; readonly a?: number; readonly b?: number; readonly c?: number };
    const operands = [a, b, c].flatMap((at) => (at === undefined ? [] : [values[at]!]));
    if (i.op === "load") values.push(inputs[i.input]!);
    else if (i.op === "const") values.push(full(shape, i.value, i.dtype));
    else if (i.op === "index") values.push(iota(shape, i.axis));
    else if (i.op === "lookup") values.push(applyPrimitive(op, [inputs[i.input]!, ...operands]));
    else values.push(applyPrimitive(op, operands, op === "cast" || op === "bitcast" ? { dtype: i.dtype } : {}));
  }
  return values[outputs[0]!.value]!;
}

/** Attributes of `quantLinear`. */
export type QuantLinearAttrs = Attrs & {
  /** The weight's value at [row, column], as a program over [out, in] of the inputs behind x. */
  readonly decode: Program;
  /** The product is with W itself, x [m, out] → [m, in]: the gradient with respect to x. */
  readonly transposed: boolean;
  readonly dtype: DType;
};

/**
 * `quantLinear`: x·Wᵀ, or x·W, with a packed W that is decoded as it is read. Plans have it in place of every product with a dequantised weight that a
 * backend claims; it has no gradient of its own, as plans are made of graphs whose gradients are taken.
 *
 * Inputs x [m, in] ([m, out] if `transposed`), then what `decode` reads: views over [out, in], and vectors for `lookup`. Result [m, out] ([m, in]).
 */
export const QUANT_LINEAR: Composite & { readonly name: "quantLinear" } = {
  name: "quantLinear",
  anyStrides: true,
  flops: ([x], [y]) => 2 * sizeOf(y!.shape) * x!.shape[1]!,
  decompose([x, ...inputs], attrs) {
    const { decode, transposed, dtype } = attrs as QuantLinearAttrs;
    const weight = valueOf(decode, inputs);
    return [cast(matmul(x!, transposed ? weight : swapLast(weight)), dtype)];
  },
};
