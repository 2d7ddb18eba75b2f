import { calculationError } from "./calculation-error.js";
import { add, compare, divide, multiply, negate, power, type Rational, subtract } from "./rational.js";

/** What a number is known to lie in: from lo to hi, both included. Equal ends are an exact number. */
export interface Interval {
  readonly lo: Rational;
  readonly hi: Rational;
}

export const point = (value: Rational): Interval => ({ lo: value, hi: value });
export const isPoint = ({ lo, hi }: Interval): boolean => compare(lo, hi) === 0;
export const least = (values: readonly Rational[]): Rational => values.reduce((a, b) => (compare(b, a) < 0 ? b : a));
export const greatest = (values: readonly Rational[]): Rational => values.reduce((a, b) => (compare(b, a) > 0 ? b : a));
const hull = (...values: readonly Rational[]): Interval => ({ lo: least(values), hi: greatest(values) });

export const contains = ({ lo, hi }: Interval, value: Rational): boolean => compare(lo, value) <= 0 && compare(value, hi) <= 0;
export const addIntervals = (a: Interval, b: Interval): Interval => ({ lo: add(a.lo, b.lo), hi: add(a.hi, b.hi) });
export const subtractIntervals = (a: Interval, b: Interval): Interval => ({ lo: subtract(a.lo, b.hi), hi: subtract(a.hi, b.lo) });
export const negateInterval = ({ lo, hi }: Interval): Interval => ({ lo: negate(hi), hi: negate(lo) });

const both = (a: Interval, b: Interval, operation: (x: Rational, y: Rational) => Rational): Interval =>
  isPoint(a) && isPoint(b)
    ? point(operation(a.lo, b.lo))
    : hull(operation(a.lo, b.lo), operation(a.lo, b.hi), operation(a.hi, b.lo), operation(a.hi, b.hi));

export const multiplyIntervals = (a: Interval, b: Interval): Interval => both(a, b, multiply);

/** @throws ConfigError kind `calculation` if the divisor may be 0 */
export function divideIntervals(a: Interval, b: Interval): Interval {
  if (b.lo.n <= 0n && b.hi.n >= 0n) throw calculationError(isPoint(b) ? "division by zero" : "division by an interval that contains zero");
  return both(a, b, divide);
}

/** To a whole power. @throws ConfigError kinds `calculation`, `limit` */
export function powerOfInterval(a: Interval, exponent: bigint): Interval {
  if (exponent < 0n) return divideIntervals(point({ n: 1n, d: 1n }), powerOfInterval(a, -exponent));
  const ends = [power(a.lo, exponent), power(a.hi, exponent)];
  const aroundZero = exponent > 0n && exponent % 2n === 0n && a.lo.n < 0n && a.hi.n > 0n;
  return isPoint(a) ? point(ends[0]!) : hull(...ends, ...(aroundZero ? [{ n: 0n, d: 1n }] : []));
}

/** Of a function that grows everywhere, by what it gives at both ends. */
export const monotone = ({ lo, hi }: Interval, f: (x: Rational) => Interval): Interval => {
  const first = f(lo);
  return { lo: first.lo, hi: compare(lo, hi) === 0 ? first.hi : f(hi).hi };
};
