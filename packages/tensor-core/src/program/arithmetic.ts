import type { Lanes } from "./lanes.js";

/** Σ cᵢ·xⁱ by Horner's rule. */
export function polynomial<F, I, M>(l: Lanes<F, I, M>, x: F, coefficients: readonly number[]): F {
  const [last, ...rest] = [...coefficients].reverse();
  return rest.reduce((sum, c) => l.add(l.mul(sum, x), l.f32(c)), l.f32(last!));
}

/** x·2ⁿ in two steps, so that results down to the smallest subnormal and up to overflow come out right; |n| ≤ 252. */
export function timesPowerOfTwo<F, I, M>(l: Lanes<F, I, M>, x: F, n: I): F {
  const half = l.shrS(n, 1);
  const power = (k: I): F => l.float(l.shl(l.iadd(k, l.i32(127)), 23));
  return l.mul(l.mul(x, power(half)), power(l.isub(n, half)));
}

/** |magnitude| with the sign of another number; `magnitude` is not negative. */
export function withSign<F, I, M>(l: Lanes<F, I, M>, magnitude: F, signOf: F): F {
  return l.float(l.ior(l.bits(magnitude), l.iand(l.bits(signOf), l.i32(-0x80000000))));
}

/** x > 0 as m·2^e with m in [√½, √2); numbers below the normal range are scaled first. */
export function splitExponent<F, I, M>(l: Lanes<F, I, M>, x: F): { m: F; e: I } {
  const tiny = l.lt(x, l.f32(2 ** -126));
  const bits = l.bits(l.select(tiny, l.mul(x, l.f32(2 ** 23)), x));
  // Subtracting the bits of √½ puts the exponent boundary there.
  const offset = l.isub(bits, l.i32(0x3f3504f3));
  const e = l.isub(l.shrS(offset, 23), l.iselect(tiny, l.i32(23), l.i32(0)));
  return { m: l.float(l.iadd(l.iand(offset, l.i32(0x7fffff)), l.i32(0x3f3504f3))), e };
}

/** The first 12 bits of a number: products of two such are exact. */
export function head<F, I, M>(l: Lanes<F, I, M>, x: F): F {
  return l.float(l.iand(l.bits(x), l.i32(-0x1000)));
}

/**
 * A number as a head of at most 12 bits and an f32 tail, together good to about 2⁻³⁶ of it. Heads are cut off by masking bits, so that no
 * compiler that takes arithmetic for exact can simplify the difference away, and their products are exact with and without fused
 * multiply-adds.
 */
export interface Pair<F> {
  readonly head: F;
  readonly tail: F;
}

/** big + small as a pair, |small| ≤ |big|. */
export function pairOf<F, I, M>(l: Lanes<F, I, M>, big: F, small: F): Pair<F> {
  const top = head(l, l.add(big, small));
  return { head: top, tail: l.add(l.sub(big, top), small) };
}

/** a + b, |b| ≤ |a|. */
export function plusPair<F, I, M>(l: Lanes<F, I, M>, a: Pair<F>, b: Pair<F>): Pair<F> {
  const { head: top, tail } = pairOf(l, a.head, b.head);
  return { head: top, tail: l.add(tail, l.add(a.tail, b.tail)) };
}

/** A constant as a pair. */
export function constantPair<F, I, M>(l: Lanes<F, I, M>, value: number): Pair<F> {
  const exponent = 2 ** (Math.floor(Math.log2(Math.abs(value))) - 11);
  const top = Math.trunc(value / exponent) * exponent;
  return { head: l.f32(top), tail: l.f32(value - top) };
}

/** a·b. */
export function timesPair<F, I, M>(l: Lanes<F, I, M>, a: Pair<F>, b: Pair<F>): Pair<F> {
  return pairOf(l, l.mul(a.head, b.head), l.add(l.mul(a.head, b.tail), l.mul(a.tail, l.add(b.head, b.tail))));
}
