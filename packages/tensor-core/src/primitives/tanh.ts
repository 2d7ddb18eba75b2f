import { polynomial, withSign } from "../program/arithmetic.js";
import type { UnaryLanes } from "../program/formula.js";
import type { Lanes } from "../program/lanes.js";
import { derivative, unary, type UnaryPrimitive } from "./elementwise.js";
import { expOf } from "./exp.js";

/** A polynomial near 0, else 1 - 2 / (e^{2|x|} + 1). */
function tanhOf<F, I, M>(l: Lanes<F, I, M>, x: F): F {
  const a = l.abs(x);
  const square = l.mul(x, x);
  const P = [
    -0.3333333134651184, 0.13333210349082947, -0.05394720286130905, 0.021702967584133148, -0.008182674646377563, 0.002147537423297763,
  ];
  const near = l.add(x, l.mul(polynomial(l, square, P), l.mul(square, x)));
  const far = l.sub(l.f32(1), l.div(l.f32(2), l.add(expOf(l, l.add(a, a)), l.f32(1))));
  return l.select(l.lt(a, l.f32(0.625)), near, withSign(l, far, x));
}

/** Hyperbolic tangent. */
export const tanh: UnaryPrimitive = unary({
  name: "tanh",
  f64: Math.tanh,
  gradient: derivative((_, y, o) => o.sub(1, o.square(y))),
});

export const lanes: UnaryLanes = { float: tanhOf };
