import { callComposite, type Composite } from "../composite.js";
import { DTypeError, ShapeError } from "../errors.js";
import type { Tensor } from "../graph.js";
import { add, barrier, mul, sigmoid, silu, sub } from "../ops/elementwise.js";
import { sameShape } from "../shape.js";

/**
 * `swiglu`: silu(gate)·up, silu(x) = x / (1 + e^-x). Its gradient computes silu(gate) again, so that what it needs of the forward pass are gate and up
 * alone. Inputs gate, up of one shape and dtype.
 */
const SWIGLU: Composite = {
  name: "swiglu",
  decompose: ([gate, up]) => [mul(silu(gate!), up!)],
  vjp([gate, up], _, __, [dy]) {
    const again = barrier(gate!, dy!);
    const s = sigmoid(again);
    const slope = mul(s, add(mul(again, sub(1, s)), 1));
    return [mul(mul(dy!, up!), slope), mul(dy!, mul(again, s))];
  },
};

/**
 * silu(gate)·up, elementwise, of one shape and dtype: the activation of the feed-forward layers of Llama and its kin.
 * @throws ShapeError, DTypeError if the two differ
 * @see Shazeer 2020, "GLU Variants Improve Transformer"
 */
export function swiglu(gate: Tensor, up: Tensor): Tensor {
  if (!sameShape(gate.shape, up.shape)) throw new ShapeError(`swiglu: gate is [${gate.shape}] and up [${up.shape}], expected one shape`);
  if (gate.dtype !== up.dtype) throw new DTypeError(`swiglu: gate is ${gate.dtype} and up ${up.dtype}, expected one dtype`);
  return callComposite(SWIGLU, [gate, up])[0]!;
}
