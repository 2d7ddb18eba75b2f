import { head } from "../program/arithmetic.js";
import type { BinaryLanes } from "../program/formula.js";
import type { Lanes } from "../program/lanes.js";
import { binary, type BinaryPrimitive } from "./elementwise.js";

function remainder(a: number, b: number): number {
  const rest = a % b;
  return rest !== 0 && rest < 0 !== b < 0 ? rest + b : rest;
}

/** a - q·b with q = a/b toward zero, as far as f32 holds it; the products of halves are exact. */
function step<F, I, M>(l: Lanes<F, I, M>, a: F, b: F): F {
  const q = l.trunc(l.div(a, b));
  const [qHead, bHead] = [head(l, q), head(l, b)];
  const [qTail, bTail] = [l.sub(q, qHead), l.sub(b, bHead)];
  const high = l.sub(a, l.mul(qHead, bHead));
  return l.sub(l.sub(l.sub(high, l.mul(qHead, bTail)), l.mul(qTail, bHead)), l.mul(qTail, bTail));
}

/**
 * The remainder with the sign of b, exact for |a/b| < 2^47: what a rounded quotient leaves is divided once more, then b is added where the
 * sign is wrong, as torch does.
 */
function modOf<F, I, M>(l: Lanes<F, I, M>, a: F, b: F): F {
  const zero = l.f32(0);
  const small = l.both(l.eq(l.abs(b), l.f32(Infinity)), l.lt(l.abs(a), l.f32(Infinity)));
  const rest = l.select(small, a, step(l, step(l, a, b), b));
  const wrong = l.both(l.ne(rest, zero), l.differ(l.lt(rest, zero), l.lt(b, zero)));
  return l.select(wrong, l.add(rest, b), rest);
}

/** The same of integers; 0 for b = 0. */
function integerMod<F, I, M>(l: Lanes<F, I, M>, a: I, b: I): I {
  const zero = l.i32(0);
  const rest = l.isub(a, l.imul(l.idiv(a, b), b));
  const wrong = l.both(l.ine(rest, zero), l.ilt(l.ixor(rest, b), zero));
  return l.iselect(l.ieq(b, zero), zero, l.iselect(wrong, l.iadd(rest, b), rest));
}

/** Remainder with the sign of the divisor (Python's %); of integers by 0 it is 0. */
export const mod: BinaryPrimitive = binary({
  name: "mod",
  f64: remainder,
  integer: (a, b) => (b === 0 ? 0 : remainder(a, b)),
  bounds: ([, b]) => (b!.least > 0 ? { least: 0, most: b!.most - 1 } : undefined),
  gradient: ({ inputs: [a, b] }, dy, o) => [dy, o.neg(o.mul(dy, o.floor(o.div(a!, b!))))],
});

export const lanes: BinaryLanes = { float: modOf, integer: integerMod };
