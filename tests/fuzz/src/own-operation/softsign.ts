import { derivative, unary, type UnaryPrimitive } from "../../../../packages/tensor-core/src/primitives/elementwise.js";
import type { UnaryLanes } from "../../../../packages/tensor-core/src/program/formula.js";

/** x / (1 + |x|). All that there is to add for an elementwise operation, but for a line in the lists of definitions and of formulas. */
export const softsign: UnaryPrimitive = unary({
  name: "softsign",
  f64: (x) => x / (1 + Math.abs(x)),
  gradient: derivative((x, _, o) => o.reciprocal(o.square(o.add(o.mul(x, o.sign(x)), 1)))),
});

export const lanes: UnaryLanes = { float: (l, x) => l.div(x, l.add(l.f32(1), l.abs(x))) };
