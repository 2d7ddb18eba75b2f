import { polynomial, timesPowerOfTwo } from "../program/arithmetic.js";
import type { UnaryLanes } from "../program/formula.js";
import type { Lanes } from "../program/lanes.js";
import { derivative, unary, type UnaryPrimitive } from "./elementwise.js";

/** ln 2 in two parts; multiples of the first by exponents are exact in f32. */
const LN2_HIGH = 0.693359375;
const LN2_LOW: number = Math.LN2 - LN2_HIGH;

/** e^x = 2ⁿ·e^r with |r| ≤ ln 2 / 2. */
export function expOf<F, I, M>(l: Lanes<F, I, M>, x: F): F {
  const inside = l.max(l.min(x, l.f32(89)), l.f32(-105));
  const n = l.nearest(l.mul(inside, l.f32(Math.LOG2E)));
  const r = l.sub(l.sub(inside, l.mul(n, l.f32(LN2_HIGH))), l.mul(n, l.f32(LN2_LOW)));
  const tail = l.mul(
    l.mul(r, r),
    polynomial(l, r, [0.5, 0.166665181517601, 0.04166620224714279, 0.008368969894945621, 0.0013950628926977515]),
  );
  return timesPowerOfTwo(l, l.add(l.add(tail, r), l.f32(1)), l.toInt(n));
}

/** e to the power of x. */
export const exp: UnaryPrimitive = unary({
  name: "exp",
  f64: Math.exp,
  gradient: derivative((_, y) => y),
});

export const lanes: UnaryLanes = { float: expOf };
