import {
  constantPair,
  head,
  type Pair,
  pairOf,
  plusPair,
  polynomial,
  splitExponent,
  timesPair,
  timesPowerOfTwo,
  withSign,
} from "../program/arithmetic.js";
import type { BinaryLanes } from "../program/formula.js";
import type { Lanes } from "../program/lanes.js";
import { binary, type BinaryPrimitive } from "./elementwise.js";

/** By repeated multiplication that wraps; 0 for a negative exponent, but of 1 and -1. */
function wholePower(x: number, y: number): number {
  if (y < 0) return x === 1 || x === -1 ? x ** (y & 1) : 0;
  let result = 1;
  for (let [square, rest] = [x, y]; rest > 0; rest >>= 1, square = Math.imul(square, square)) {
    if (rest & 1) result = Math.imul(result, square);
  }
  return result;
}

/** log₂ m = 2/ln 2 · artanh s, s = (m - 1) / (m + 1), |s| ≤ 0.172, as a pair. */
function log2OfMantissa<F, I, M>(l: Lanes<F, I, M>, m: F): Pair<F> {
  const one = l.f32(1);
  const f = l.sub(m, one);
  const sum = l.add(m, one);
  const divisor = head(l, sum);
  const below = l.sub(m, l.sub(divisor, one));
  const quotient = head(l, l.div(f, sum));
  const s: Pair<F> = { head: quotient, tail: l.div(l.sub(l.sub(f, l.mul(quotient, divisor)), l.mul(quotient, below)), sum) };
  const square = timesPair(l, s, s);
  const term = (i: number): number => 2 / (Math.LN2 * (2 * i + 1));
  const series = l.mul(
    l.add(square.head, square.tail),
    polynomial(l, l.add(square.head, square.tail), [0.577080249786377, 0.41184404492378235, 0.3379586935043335]),
  );
  const third = constantPair(l, term(1));
  const cubic = timesPair(l, square, { head: third.head, tail: l.add(third.tail, series) });
  const first = constantPair(l, term(0));
  return timesPair(l, s, plusPair(l, first, cubic));
}

/** |x|^y = 2^{y·log₂|x|}, the exponent as a pair; signs and special values as C's pow. */
function powOf<F, I, M>(l: Lanes<F, I, M>, x: F, y: F): F {
  const [infinity, one, zero] = [l.f32(Infinity), l.f32(1), l.f32(0)];
  const a = l.abs(x);
  const { m, e } = splitExponent(l, a);
  const log2 = plusPair(l, { head: l.toFloat(e), tail: zero }, log2OfMantissa(l, m));
  const finite = l.both(l.lt(zero, a), l.lt(a, infinity));
  const sum = l.select(finite, l.add(log2.head, log2.tail), l.select(l.eq(a, zero), l.f32(-Infinity), a));
  const yTop = head(l, y);
  const product = l.mul(yTop, log2.head);
  const small = l.add(l.mul(yTop, log2.tail), l.mul(l.sub(y, yTop), sum));
  // Infinite, NaN or far out of range: only that matters.
  const rough = l.mul(y, sum);
  const exponent = l.select(l.lt(l.abs(rough), l.f32(1000)), l.add(product, small), rough);
  const n = l.nearest(l.max(l.min(exponent, l.f32(200)), l.f32(-200)));
  let result = timesPowerOfTwo(l, exp2OfPair(l, pairOf(l, l.sub(product, n), small)), l.toInt(n));
  result = l.select(l.lt(l.f32(-151), exponent), l.select(l.lt(exponent, l.f32(129)), result, infinity), zero);
  result = l.select(l.isNaN(exponent), exponent, result);
  // Negative x: the sign if y is odd, NaN unless y is an integer.
  const half = l.mul(y, l.f32(0.5));
  const whole = l.eq(l.floor(y), y);
  const odd = l.both(whole, l.ne(l.floor(half), half));
  result = l.select(odd, withSign(l, result, x), result);
  result = l.select(l.both(l.both(l.lt(x, zero), l.lt(a, infinity)), l.not(whole)), l.f32(NaN), result);
  // 1, too, of -1 to the power of ±Infinity (C; JavaScript says NaN).
  const unit = l.either(l.eq(x, one), l.both(l.eq(a, one), l.eq(l.abs(y), infinity)));
  return l.select(l.either(l.eq(y, zero), unit), one, result);
}

/** 2^r, |r| ≤ ½. */
function exp2OfPair<F, I, M>(l: Lanes<F, I, M>, r: Pair<F>): F {
  const { head: top, tail } = timesPair(l, r, constantPair(l, Math.LN2));
  const t = l.add(top, tail);
  const near = l.add(l.f32(1), top);
  const lost = l.add(l.sub(l.f32(1), near), top);
  const E = [0.4999999403953552, 0.16666515171527863, 0.04166845604777336, 0.008369413204491138, 0.001381313893944025];
  return l.add(near, l.add(l.add(lost, tail), l.mul(l.mul(t, t), polynomial(l, t, E))));
}

/** `wholePower` without a branch. */
function integerPow<F, I, M>(l: Lanes<F, I, M>, x: I, y: I): I {
  const one = l.i32(1);
  let result = one;
  let square = x;
  for (let bit = 0; bit < 31; bit++) {
    const set = l.ieq(l.iand(l.shrU(y, bit), one), one);
    result = l.iselect(set, l.imul(result, square), result);
    if (bit < 30) square = l.imul(square, square);
  }
  const odd = l.ieq(l.iand(y, one), one);
  const unit = l.iselect(l.ieq(x, one), one, l.iselect(l.ieq(x, l.i32(-1)), l.iselect(odd, x, one), l.i32(0)));
  return l.iselect(l.ilt(y, l.i32(0)), unit, result);
}

/** a to the power of b. */
export const pow: BinaryPrimitive = binary({
  name: "pow",
  f64: Math.pow,
  integer: wholePower,
  // a^b for b = 0 has derivative 0 even at a = 0; log a is taken only where a > 0.
  gradient: ({ inputs: [a, b], output }, dy, o) => {
    const da = o.where(o.equal(b!, 0), 0, o.mul(b!, o.pow(a!, o.sub(b!, 1))));
    const positive = o.greater(a!, 0);
    const db = o.where(positive, o.mul(output, o.log(o.where(positive, a!, 1))), 0);
    return [o.mul(dy, da), o.mul(dy, db)];
  },
});

export const lanes: BinaryLanes = { float: powOf, integer: integerPow };
