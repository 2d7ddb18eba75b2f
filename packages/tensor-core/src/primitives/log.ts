import { polynomial, splitExponent } from "../program/arithmetic.js";
import type { UnaryLanes } from "../program/formula.js";
import type { Lanes } from "../program/lanes.js";
import { derivative, unary, type UnaryPrimitive } from "./elementwise.js";

const LN2_HIGH = 0.693359375;
const LN2_LOW: number = Math.LN2 - LN2_HIGH;

/** ln x = e·ln 2 + ln(1 + f); -Infinity at 0, NaN below. */
function logOf<F, I, M>(l: Lanes<F, I, M>, x: F): F {
  const { m, e } = splitExponent(l, x);
  const f = l.sub(m, l.f32(1));
  const k = l.toFloat(e);
  const square = l.mul(f, f);
  const P = [
    0.33333316445350647, -0.2500079870223999, 0.20002290606498718, -0.1662491410970688, 0.14181189239025116, -0.13125652074813843,
    0.12881025671958923, -0.07866719365119934,
  ];
  let tail = l.mul(l.mul(polynomial(l, f, P), f), square);
  tail = l.add(tail, l.mul(k, l.f32(LN2_LOW)));
  tail = l.sub(tail, l.mul(square, l.f32(0.5)));
  const result = l.add(l.add(tail, f), l.mul(k, l.f32(LN2_HIGH)));
  const positive = l.select(l.lt(x, l.f32(Infinity)), result, x);
  const special = l.select(l.eq(x, l.f32(0)), l.f32(-Infinity), l.f32(NaN));
  return l.select(l.lt(l.f32(0), x), positive, special);
}

/** Natural logarithm. */
export const log: UnaryPrimitive = unary({
  name: "log",
  f64: Math.log,
  gradient: derivative((x, _, o) => o.reciprocal(x)),
});

export const lanes: UnaryLanes = { float: logOf };
