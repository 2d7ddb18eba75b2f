import { calculationError } from "./calculation-error.js";
import { type Interval, isPoint } from "./interval.js";
import { type Dimension, DIMENSIONLESS, dimensionText, sameDimension } from "./units.js";
import type { Rational } from "./rational.js";

/** A number of base units: exact, or known to lie in an interval. */
export interface Quantity {
  readonly value: Interval;
  readonly dimension: Dimension;
}

export const plain = (value: Interval): Quantity => ({ value, dimension: DIMENSIONLESS });

/** @throws ConfigError kind `calculation` if they are not of one kind */
export function assertSameDimension(a: Pick<Quantity, "dimension">, b: Pick<Quantity, "dimension">, operation: string): void {
  if (!sameDimension(a.dimension, b.dimension))
    throw calculationError(`${operation}: ${dimensionText(a.dimension)} and ${dimensionText(b.dimension)} are of different kinds`);
}

/** The number itself. @throws ConfigError kind `calculation` if it has a unit */
export function pureOf({ value, dimension }: Quantity, operation: string): Interval {
  if (!sameDimension(dimension, DIMENSIONLESS))
    throw calculationError(`${operation} takes a number without a unit, got ${dimensionText(dimension)}`);
  return value;
}

/** The number, which has to be exact. @throws ConfigError kind `calculation` */
export function exactOf(quantity: Quantity, operation: string): Rational {
  const value = pureOf(quantity, operation);
  if (!isPoint(value)) throw calculationError(`${operation} takes an exact number, got one that is known only within an interval`);
  return value.lo;
}

/** @throws ConfigError kind `calculation` */
export function wholeOf(quantity: Quantity, operation: string): bigint {
  const { n, d } = exactOf(quantity, operation);
  if (d !== 1n) throw calculationError(`${operation} takes a whole number, got ${n}/${d}`);
  return n;
}
