import { callComposite, type Composite } from "../composite.js";
import type { Tensor } from "../graph.js";
import { add, barrier, mul, sigmoid, silu, sub } from "../ops/elementwise.js";

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
 * @see Shazeer 2020, "GLU Variants Improve Transformer"
 */
export const swiglu = (gate: Tensor, up: Tensor): Tensor => callComposite(SWIGLU, [gate, up])[0]!;
