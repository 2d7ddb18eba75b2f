import { evaluate, scaleOf } from "./evaluate.js";
import { decimal, fraction, rounded } from "./format.js";
import { divideIntervals, type Interval, isPoint, point, subtractIntervals } from "./interval.js";
import { type Node, parseExpression } from "./parse.js";
import type { Quantity } from "./quantity.js";
import { ZERO } from "./rational.js";
import { DIMENSIONLESS, dimensionText, sameDimension } from "./units.js";

/** What an expression is. */
export interface Calculated {
  /** For people and models: `3/10 = 0.3`, `36 km/h`, `1.41421356… (rounded)`. */
  readonly text: string;
  /** A fraction in lowest terms, where the value is exact. */
  readonly exact?: string;
  /** Fractions that the true value lies between, where it is irrational or an interval was given. */
  readonly between?: readonly [lo: string, hi: string];
  /** In what it is measured; nothing if it is a number. */
  readonly unit?: string;
}

/**
 * Calculates exactly: rationals and whole numbers of any size, intervals (`[1, 2]`, `5 ± 0.1`), units (`60 km / (2 h) to m/s`). What is irrational is
 * enclosed between rationals that differ by less than 10^-59 of it, or of 1.
 * @throws ConfigError kind `calculation` (what means nothing or has no value), kind `limit`
 */
export function calculate(expression: string): Calculated {
  const node = parseExpression(expression);
  const quantity = evaluate(node);
  const { value, unit } = shown(node, quantity);
  const units = unit === undefined ? "" : ` ${unit}`;
  const rest = unit === undefined ? {} : { unit };
  if (isPoint(value)) {
    const [exact, { text, exact: ends }] = [fraction(value.lo), decimal(value.lo)];
    return { text: `${value.lo.d === 1n ? exact : `${exact} ${ends ? "=" : "≈"} ${text}`}${units}`, exact, ...rest };
  }
  const [lo, hi] = [rounded(value.lo), rounded(value.hi)];
  const text = lo === hi ? `≈ ${lo}${units} (rounded)` : `between ${decimal(value.lo).text} and ${decimal(value.hi).text}${units}`;
  return { text, between: [fraction(value.lo), fraction(value.hi)], ...rest };
}

/** A quantity in the unit that was asked for, else in base units. */
function shown(node: Node, { value, dimension }: Quantity): { readonly value: Interval; readonly unit?: string } {
  if (node.kind === "convert") {
    const { factor, offset = ZERO } = scaleOf(node.unit);
    return { value: divideIntervals(subtractIntervals(value, point(offset)), factor), unit: node.unitText };
  }
  return sameDimension(dimension, DIMENSIONLESS) ? { value } : { value, unit: dimensionText(dimension) };
}
