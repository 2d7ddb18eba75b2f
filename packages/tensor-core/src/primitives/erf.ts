import { polynomial, withSign } from "../program/arithmetic.js";
import type { UnaryLanes } from "../program/formula.js";
import type { Lanes } from "../program/lanes.js";
import { derivative, unary, type UnaryPrimitive } from "./elementwise.js";
import { expOf } from "./exp.js";

/** A polynomial near 0, else 1 - e^{P(|x|)} with P fitted to ln erfc. */
function erfOf<F, I, M>(l: Lanes<F, I, M>, x: F): F {
  // x + x·Q rather than x·P: Q is small, so its rounding errors weigh little.
  const Q = [
    0.12837916709551256, -0.3761262595653534, 0.11283600330352783, -0.026854444295167923, 0.005189535208046436, -0.0008020841632969677,
    7.889120752224699e-5,
  ];
  const near = l.add(x, l.mul(x, polynomial(l, l.mul(x, x), Q)));
  const a = l.min(l.abs(x), l.f32(4));
  const P = [
    0.0001880376075860113, -1.1295784711837769, -0.6332198977470398, -0.1084185540676117, 0.0252082459628582, -0.0042045582085847855,
    0.0004413356655277312, -2.1686793843400665e-5,
  ];
  const far = l.sub(l.f32(1), expOf(l, polynomial(l, a, P)));
  return l.select(l.lt(a, l.f32(1)), near, withSign(l, far, x));
}

/** By its series (|x| < 3) and continued fraction; relative error below 1e-14. */
function errorFunction(x: number): number {
  const a = Math.abs(x);
  if (!(a < 6)) return a >= 6 ? Math.sign(x) : NaN;
  if (a < 3) {
    let term = a;
    let total = a;
    for (let n = 1; n < 200 && Math.abs(term) > 1e-17 * total; n++) {
      term *= (-a * a) / n;
      total += term / (2 * n + 1);
    }
    return (Math.sign(x) * 2 * total) / Math.sqrt(Math.PI);
  }
  let fraction = 0;
  for (let n = 60; n > 0; n--) fraction = n / 2 / (a + fraction);
  return Math.sign(x) * (1 - Math.exp(-a * a) / (Math.sqrt(Math.PI) * (a + fraction)));
}

/** Gauss error function. */
export const erf: UnaryPrimitive = unary({
  name: "erf",
  f64: errorFunction,
  gradient: derivative((x, _, o) => o.mul(o.exp(o.neg(o.square(x))), 2 / Math.sqrt(Math.PI))),
});

export const lanes: UnaryLanes = { float: erfOf };
