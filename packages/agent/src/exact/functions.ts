import { calculationError, calculationLimit } from "./calculation-error.js";
import { exponential, logarithm, PI, root, sineAndCosine } from "./enclosures.js";
import { divideIntervals, greatest, type Interval, isPoint, least, monotone, negateInterval, point } from "./interval.js";
import { MAX_FACTORIAL } from "./limits.js";
import { assertSameDimension, plain, pureOf, type Quantity, wholeOf } from "./quantity.js";
import { add, compare, divide, floor, gcd, multiply, negate, ONE, type Rational, rational, subtract, ZERO } from "./rational.js";

/** A function by its name: how many arguments it takes, and what it gives. */
interface CalculatorFunction {
  readonly fewest: number;
  readonly most: number;
  run(args: readonly Quantity[], name: string): Quantity;
}

/** Of one number without a unit. */
const ofNumber = (run: (value: Interval) => Interval): CalculatorFunction => ({
  fewest: 1,
  most: 1,
  run: ([x], name) => plain(run(pureOf(x!, name))),
});
/** Of whole numbers. */
const ofWhole = (fewest: number, most: number, run: (...values: bigint[]) => bigint): CalculatorFunction => ({
  fewest,
  most,
  run: (args, name) => plain(point(rational(run(...args.map((one) => wholeOf(one, name)))))),
});
/** Of one quantity with any unit, which the result has as well. */
const keepingUnit = (run: (value: Interval) => Interval): CalculatorFunction => ({
  fewest: 1,
  most: 1,
  run: ([x]) => ({ value: run(x!.value), dimension: x!.dimension }),
});
const extreme = (choose: (values: readonly Rational[]) => Rational): CalculatorFunction => ({
  fewest: 1,
  most: 100,
  run: (args, name) => {
    for (const one of args) assertSameDimension(args[0]!, one, name);
    const values = args.map(({ value }) => value);
    return {
      value: { lo: choose(values.map(({ lo }) => lo)), hi: choose(values.map(({ hi }) => hi)) },
      dimension: args[0]!.dimension,
    };
  },
});

const rounded = (round: (value: Rational) => bigint): CalculatorFunction =>
  ofNumber((x) => monotone(x, (one) => point(rational(round(one)))));
const HALF = rational(1n, 2n);

/** |f(x) − f(middle)| ≤ |x − middle| for sine and cosine. */
function wave(x: Interval, f: (value: Rational) => Interval): Interval {
  const middle = multiply(add(x.lo, x.hi), HALF);
  const { lo, hi } = f(middle);
  const spread = subtract(x.hi, middle);
  return { lo: greatest([negate(ONE), subtract(lo, spread)]), hi: least([ONE, add(hi, spread)]) };
}
const sine = (x: Interval): Interval => wave(x, (one) => sineAndCosine(one).sine);
const cosine = (x: Interval): Interval => wave(x, (one) => sineAndCosine(one).cosine);

/** n! @throws ConfigError kinds `calculation`, `limit` */
export function factorial(n: bigint): bigint {
  if (n < 0n) throw calculationError("a negative number has no factorial");
  if (n > MAX_FACTORIAL) throw calculationLimit(`factorials up to ${MAX_FACTORIAL}! are computed`);
  let result = 1n;
  for (let i = 2n; i <= n; i++) result *= i;
  return result;
}

function binomial(n: bigint, k: bigint): bigint {
  if (n < 0n || k < 0n) throw calculationError("binomial takes numbers from 0 on");
  const size = k > n - k ? n - k : k;
  if (size > MAX_FACTORIAL) throw calculationLimit(`binomials with a smaller part up to ${MAX_FACTORIAL} are computed`);
  let result = k > n ? 0n : 1n;
  for (let i = 1n; i <= size; i++) {
    result = (result * (n - size + i)) / i;
    rational(result); // within the limit of numbers
  }
  return result;
}

const FUNCTIONS: ReadonlyMap<string, CalculatorFunction> = new Map<string, CalculatorFunction>([
  ["abs", keepingUnit((x) => (x.lo.n >= 0n ? x : x.hi.n <= 0n ? negateInterval(x) : { lo: ZERO, hi: greatest([negate(x.lo), x.hi]) }))],
  ["min", extreme(least)],
  ["max", extreme(greatest)],
  ["floor", rounded(floor)],
  ["ceil", rounded((x) => -floor(negate(x)))],
  ["round", rounded((x) => (x.n < 0n ? -floor(add(negate(x), HALF)) : floor(add(x, HALF))))],
  ["sqrt", { fewest: 1, most: 1, run: ([x]) => rootOf(x!, 2n) }],
  ["cbrt", { fewest: 1, most: 1, run: ([x]) => rootOf(x!, 3n) }],
  ["exp", ofNumber((x) => monotone(x, exponential))],
  ["ln", ofNumber((x) => monotone(x, logarithm))],
  ["log", { fewest: 2, most: 2, run: ([x, base], name) => plain(logarithmTo(pureOf(x!, name), pureOf(base!, name))) }],
  ["log10", ofNumber((x) => logarithmTo(x, point(rational(10n))))],
  ["log2", ofNumber((x) => logarithmTo(x, point(rational(2n))))],
  ["sin", ofNumber(sine)],
  ["cos", ofNumber(cosine)],
  ["tan", ofNumber((x) => divideIntervals(sine(x), cosine(x)))],
  ["gcd", ofWhole(2, 100, (...values) => values.reduce(gcd))],
  ["lcm", ofWhole(2, 100, (...values) => values.reduce((a, b) => (a === 0n || b === 0n ? 0n : rational(a * b).n / gcd(a, b)), 1n))],
  ["factorial", ofWhole(1, 1, factorial)],
  ["binomial", ofWhole(2, 2, binomial)],
]);

/** Logarithm to a base: exact where it is a whole number, which it is of the powers of the base. */
function logarithmTo(x: Interval, base: Interval): Interval {
  const quotient = divideIntervals(monotone(x, logarithm), monotone(base, logarithm));
  if (!isPoint(x) || !isPoint(base)) return quotient;
  const whole = floor(add(quotient.lo, HALF));
  if (compare(rational(whole), quotient.lo) < 0 || compare(rational(whole), quotient.hi) > 0) return quotient;
  const size = whole < 0n ? -whole : whole;
  let product = ONE;
  for (let i = 0n; i < size; i++) product = multiply(product, base.lo);
  const reached = whole < 0n ? divide(ONE, product) : product;
  return compare(reached, x.lo) === 0 ? point(rational(whole)) : quotient;
}

/** The q-th root of a quantity, whose exponents have to be multiples of q. @throws ConfigError kinds `calculation`, `limit` */
export function rootOf({ value, dimension }: Quantity, q: bigint): Quantity {
  if (dimension.some((exponent) => exponent % Number(q) !== 0)) throw calculationError(`the unit has no root of degree ${q}`);
  return { value: monotone(value, (x) => root(x, q)), dimension: dimension.map((exponent) => exponent / Number(q)) };
}

/** Constants by name: enclosures of what is irrational. */
export const CONSTANTS: ReadonlyMap<string, () => Interval> = new Map([
  ["pi", PI],
  ["π", PI],
  ["e", () => exponential(ONE)],
]);

/** @throws ConfigError kind `calculation` if there is no such function, or it takes another number of arguments */
export function callFunction(name: string, args: readonly Quantity[]): Quantity {
  const found = FUNCTIONS.get(name);
  if (!found) throw calculationError(`there is no function ${name}`, `there are ${[...FUNCTIONS.keys()].join(", ")}`);
  if (args.length < found.fewest || args.length > found.most)
    throw calculationError(
      `${name} takes ${found.fewest === found.most ? found.fewest : `${found.fewest} or more`} arguments, got ${args.length}`,
    );
  return found.run(args, name);
}
