import { calculationError, calculationLimit } from "./calculation-error.js";
import { MAX_NUMBER_BITS } from "./limits.js";

/** n ÷ d in lowest terms, with d > 0. */
export interface Rational {
  readonly n: bigint;
  readonly d: bigint;
}

export const abs = (n: bigint): bigint => (n < 0n ? -n : n);

/** Greatest common divisor, from 0 on. */
export function gcd(a: bigint, b: bigint): bigint {
  let [x, y] = [abs(a), abs(b)];
  while (y !== 0n) [x, y] = [y, x % y];
  return x;
}

/** Bits of |n|, up to three more. */
const bits = (n: bigint): number => abs(n).toString(16).length * 4;

function room(size: number): void {
  if (size > MAX_NUMBER_BITS) throw calculationLimit(`a number has more than ${MAX_NUMBER_BITS} bits`);
}

/** n ÷ d in lowest terms. @throws ConfigError kind `calculation` if d is 0, kind `limit` */
export function rational(n: bigint, d: bigint = 1n): Rational {
  if (d === 0n) throw calculationError("division by zero");
  const sign = d < 0n ? -1n : 1n;
  const common = d === 1n ? 1n : gcd(n, d);
  const [top, bottom] = [(sign * n) / common, (sign * d) / common];
  room(bits(top));
  room(bits(bottom));
  return { n: top, d: bottom };
}

export const ZERO: Rational = { n: 0n, d: 1n };
export const ONE: Rational = { n: 1n, d: 1n };

export const add = (a: Rational, b: Rational): Rational => rational(a.n * b.d + b.n * a.d, a.d * b.d);
export const negate = ({ n, d }: Rational): Rational => ({ n: -n, d });
export const subtract = (a: Rational, b: Rational): Rational => add(a, negate(b));
export const multiply = (a: Rational, b: Rational): Rational => rational(a.n * b.n, a.d * b.d);
export const divide = (a: Rational, b: Rational): Rational => rational(a.n * b.d, a.d * b.n);

/** Below 0 if a < b, 0 if a = b, above 0 if a > b. */
export const compare = (a: Rational, b: Rational): number => {
  const difference = a.n * b.d - b.n * a.d;
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
};

/** a to a whole power. @throws ConfigError kind `limit`; kind `calculation` for 0 to a negative one */
export function power(a: Rational, exponent: bigint): Rational {
  if (a.d === 1n && abs(a.n) <= 1n && exponent >= 0n) return rational(a.n ** (exponent === 0n ? 0n : 2n - (exponent % 2n)));
  if (abs(exponent) > BigInt(MAX_NUMBER_BITS)) throw calculationLimit(`a power has more than ${MAX_NUMBER_BITS} bits`);
  // `bits` counts up to three too many, which must not refuse small powers.
  room((Math.max(bits(a.n), bits(a.d)) - 4) * Number(abs(exponent)));
  const [n, d] = [a.n ** abs(exponent), a.d ** abs(exponent)];
  return exponent < 0n ? rational(d, n) : rational(n, d);
}

/** The greatest whole number that is not above. */
export const floor = ({ n, d }: Rational): bigint => (n >= 0n || n % d === 0n ? n / d : n / d - 1n);

/** a − m ⌊a ÷ m⌋: its sign is that of m. @throws ConfigError kind `calculation` if m is 0 */
export const modulo = (a: Rational, m: Rational): Rational => subtract(a, multiply(m, rational(floor(divide(a, m)))));

/** base^exponent mod m for whole numbers with exponent ≥ 0, without forming the power. */
export function powerModulo(base: bigint, exponent: bigint, m: bigint): bigint {
  const size = abs(m);
  let [result, square, rest] = [1n % size, ((base % size) + size) % size, exponent];
  for (; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * square) % size;
    square = (square * square) % size;
  }
  return m < 0n && result !== 0n ? result + m : result;
}

/** Reads `12`, `0.25`, `.5`, `1e-3`. */
export function parseDecimal(text: string): Rational {
  const [, whole = "", fraction = "", exponent = "0"] = /^(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/.exec(text)!;
  room(4 * text.length);
  return multiply(rational(BigInt(whole + fraction), 10n ** BigInt(fraction.length)), power(rational(10n), BigInt(exponent)));
}
