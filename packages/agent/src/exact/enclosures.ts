// Functions that have irrational values: each gives rationals that the true value lies between.
import { calculationError, calculationLimit } from "./calculation-error.js";
import type { Interval } from "./interval.js";
import { MAX_ROOT } from "./limits.js";
import { abs, floor, negate, type Rational, rational, ZERO } from "./rational.js";

/** Bits behind the point of roots, and of margins: 60 digits. */
const PRECISION = 200n;
/** Bits behind the point that series are summed with. Their errors, below 2^11 units times 2^64 for the reduction, stay far below the margin of 2^-200. */
const WORKING = 512n;
const UNIT = 1n << WORKING;

/** The greatest r with r^q ≤ n. */
function integerRoot(n: bigint, q: bigint): bigint {
  if (n < 2n) return n;
  let found = 1n << (BigInt(n.toString(2).length) / q + 1n);
  for (;;) {
    const next = ((q - 1n) * found + n / found ** (q - 1n)) / q;
    if (next >= found) return found;
    found = next;
  }
}

/** The real q-th root, exact where it is rational. @throws ConfigError kind `calculation` for an even root of what is below 0 */
export function root(x: Rational, q: bigint): Interval {
  if (q > MAX_ROOT) throw calculationLimit(`roots up to the ${MAX_ROOT}th are computed, got the ${q}th`);
  if (x.n < 0n) {
    if (q % 2n === 0n) throw calculationError("a negative number has no real root of an even degree");
    const { lo, hi } = root(negate(x), q);
    return { lo: negate(hi), hi: negate(lo) };
  }
  // (n/d)^(1/q) = (n d^(q-1))^(1/q) / d
  const inner = (x.n * x.d ** (q - 1n)) << (q * PRECISION);
  const found = integerRoot(inner, q);
  const scale = x.d << PRECISION;
  const lo = rational(found, scale);
  return { lo, hi: found ** q === inner ? lo : rational(found + 1n, scale) };
}

const toFixed = ({ n, d }: Rational): bigint => (n << WORKING) / d;
const around = (value: bigint): Interval => {
  const margin = UNIT >> PRECISION;
  return { lo: rational(value - margin, UNIT), hi: rational(value + margin, UNIT) };
};

/** Σ x^(2k+1) / (2k+1), with alternating signs for the arc tangent, for |x| ≤ 1/2. */
function oddSeries(x: bigint, alternating: boolean): bigint {
  const square = (x * x) >> WORKING;
  let [sum, term] = [0n, x];
  for (let k = 0n; term !== 0n && term !== -1n; k++) {
    sum += (alternating && k % 2n === 1n ? -term : term) / (2n * k + 1n);
    term = (term * square) >> WORKING;
  }
  return sum;
}

/** Machin: π = 16 atan(1/5) − 4 atan(1/239). */
const pi = (): bigint => 16n * oddSeries(UNIT / 5n, true) - 4n * oddSeries(UNIT / 239n, true);

/** π */
export const PI = (): Interval => around(pi());

/** e^x. @throws ConfigError kind `limit` for |x| above 10,000 */
export function exponential(x: Rational): Interval {
  if (x.n === 0n) return { lo: rational(1n), hi: rational(1n) };
  if (abs(x.n) > 10_000n * x.d) throw calculationLimit("exp of more than 10000");
  if (x.n < 0n) {
    const { lo, hi } = exponential(negate(x));
    return { lo: rational(hi.d, hi.n), hi: rational(lo.d, lo.n) };
  }
  // e^x = (e^(x / 2^15))^(2^15), the inner argument being below 1/3; each squaring at most doubles the relative error.
  const squarings = 15n;
  const small = toFixed(x) >> squarings;
  let [sum, term] = [UNIT, UNIT];
  for (let k = 1n; term > 0n; k++) {
    term = ((term * small) >> WORKING) / k;
    sum += term;
  }
  for (let i = 0n; i < squarings; i++) sum = (sum * sum) >> WORKING;
  const margin = (sum >> PRECISION) + 1n;
  return { lo: rational(sum - margin, UNIT), hi: rational(sum + margin, UNIT) };
}

/** Natural logarithm. @throws ConfigError kind `calculation` unless x > 0 */
export function logarithm(x: Rational): Interval {
  if (x.n <= 0n) throw calculationError("only numbers above 0 have a logarithm");
  if (x.n === x.d) return { lo: ZERO, hi: ZERO };
  // x = m 2^e with m from 1/2 to 2; ln m = 2 atanh((m − 1) / (m + 1)), whose argument is at most 1/3.
  const e = BigInt(x.n.toString(2).length - x.d.toString(2).length);
  const m: Rational = e >= 0n ? { n: x.n, d: x.d << e } : { n: x.n << -e, d: x.d };
  const ofM = 2n * oddSeries(toFixed({ n: m.n - m.d, d: m.n + m.d }), false);
  return around(ofM + 2n * e * oddSeries(UNIT / 3n, false));
}

/** Sine and cosine of an angle in radians. @throws ConfigError kind `limit` for |x| above 2^64 */
export function sineAndCosine(x: Rational): { readonly sine: Interval; readonly cosine: Interval } {
  if (abs(floor(x)) > 1n << 64n) throw calculationLimit("angles up to 2^64 are computed");
  if (x.n === 0n) return { sine: { lo: ZERO, hi: ZERO }, cosine: { lo: rational(1n), hi: rational(1n) } };
  const turn = 2n * pi();
  const angle = toFixed(x);
  const y = angle - (angle / turn) * turn;
  let [sine, cosine, term] = [0n, 0n, UNIT];
  for (let k = 0n; term !== 0n && term !== -1n; k++) {
    if (k % 2n === 0n) cosine += k % 4n === 0n ? term : -term;
    else sine += k % 4n === 1n ? term : -term;
    term = ((term * y) >> WORKING) / (k + 1n);
  }
  return { sine: around(sine), cosine: around(cosine) };
}
