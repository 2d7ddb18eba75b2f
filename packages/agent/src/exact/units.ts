import { PI } from "./enclosures.js";
import { divideIntervals, type Interval, multiplyIntervals, point } from "./interval.js";
import { parseDecimal, power, rational, type Rational } from "./rational.js";

/** What every unit is made of; `bit` counts information. */
const BASE_UNITS = ["m", "kg", "s", "A", "K", "mol", "cd", "bit"] as const;
/** Exponents of the base units, in their order. */
export type Dimension = readonly number[];
export const DIMENSIONLESS: Dimension = BASE_UNITS.map(() => 0);

/** A unit: how many of its base units it is. */
export interface Unit {
  readonly factor: Interval;
  readonly dimension: Dimension;
  /** Kelvin at 0 of a scale that does not begin there. */
  readonly offset?: Rational;
}

const dimension = (exponents: { readonly [base in (typeof BASE_UNITS)[number]]?: number }): Dimension =>
  BASE_UNITS.map((base) => exponents[base] ?? 0);

const LENGTH = dimension({ m: 1 });
const MASS = dimension({ kg: 1 });
const TIME = dimension({ s: 1 });
const AREA = dimension({ m: 2 });
const VOLUME = dimension({ m: 3 });
const FREQUENCY = dimension({ s: -1 });
const FORCE = dimension({ m: 1, kg: 1, s: -2 });
const PRESSURE = dimension({ m: -1, kg: 1, s: -2 });
const ENERGY = dimension({ m: 2, kg: 1, s: -2 });
const POWER = dimension({ m: 2, kg: 1, s: -3 });
const VOLTAGE = dimension({ m: 2, kg: 1, s: -3, A: -1 });
const RESISTANCE = dimension({ m: 2, kg: 1, s: -3, A: -2 });
const TEMPERATURE = dimension({ K: 1 });
const INFORMATION = dimension({ bit: 1 });

/** Units by name, each as a decimal or fraction of base units: exact by definition of SI and of the international yard and pound. */
const UNITS: readonly (readonly [names: string, factor: string, Dimension])[] = [
  ["m meter meters metre metres", "1", LENGTH],
  ["inch inches", "0.0254", LENGTH],
  ["ft foot feet", "0.3048", LENGTH],
  ["yd yard yards", "0.9144", LENGTH],
  ["mi mile miles", "1609.344", LENGTH],
  ["nmi", "1852", LENGTH],
  ["au", "149597870700", LENGTH],
  ["ly", "9460730472580800", LENGTH],
  ["g gram grams", "0.001", MASS],
  ["t tonne tonnes", "1000", MASS],
  ["lb lbs pound pounds", "0.45359237", MASS],
  ["oz ounce ounces", "0.028349523125", MASS],
  ["s sec second seconds", "1", TIME],
  ["min minute minutes", "60", TIME],
  ["h hr hour hours", "3600", TIME],
  ["d day days", "86400", TIME],
  ["week weeks", "604800", TIME],
  ["A ampere amperes", "1", dimension({ A: 1 })],
  ["K kelvin", "1", TEMPERATURE],
  ["mol mole moles", "1", dimension({ mol: 1 })],
  ["cd candela", "1", dimension({ cd: 1 })],
  ["ha hectare hectares", "10000", AREA],
  ["acre acres", "4046.8564224", AREA],
  ["L l liter liters litre litres", "0.001", VOLUME],
  ["gal gallon gallons", "0.003785411784", VOLUME],
  ["Hz hertz", "1", FREQUENCY],
  ["N newton newtons", "1", FORCE],
  ["lbf", "4.4482216152605", FORCE],
  ["Pa pascal", "1", PRESSURE],
  ["bar", "100000", PRESSURE],
  ["atm", "101325", PRESSURE],
  ["J joule joules", "1", ENERGY],
  ["Wh", "3600", ENERGY],
  ["cal calorie calories", "4.184", ENERGY],
  ["eV", "1.602176634e-19", ENERGY],
  ["W watt watts", "1", POWER],
  ["C coulomb coulombs", "1", dimension({ s: 1, A: 1 })],
  ["V volt volts", "1", VOLTAGE],
  ["ohm ohms", "1", RESISTANCE],
  ["F farad farads", "1", dimension({ m: -2, kg: -1, s: 4, A: 2 })],
  ["bit bits", "1", INFORMATION],
  ["B byte bytes", "8", INFORMATION],
];

/** Those of them that take prefixes, by their first names. */
const PREFIXED: ReadonlySet<string> = new Set(
  "m meter meters metre metres g gram grams t s second seconds A K mol L l liter litre liters litres Hz hertz N Pa bar J joule joules Wh cal eV W watt watts C V ohm F bit bits B byte bytes".split(
    " ",
  ),
);
const SYMBOLS = "Y24 Z21 E18 P15 T12 G9 M6 k3 h2 da1 d-1 c-2 m-3 u-6 µ-6 n-9 p-12 f-15";
const WORDS = "tera12 giga9 mega6 kilo3 centi-2 milli-3 micro-6 nano-9";
const prefixes = (list: string): readonly (readonly [string, Rational])[] =>
  list.split(" ").map((entry) => {
    const [, name, exponent] = /^(\D+?)(-?\d+)$/.exec(entry)!;
    return [name!, power(rational(10n), BigInt(exponent!))] as const;
  });
const BINARY: readonly (readonly [string, Rational])[] = ["Ki", "Mi", "Gi", "Ti", "Pi"].map(
  (name, i) => [name, power(rational(1024n), BigInt(i + 1))] as const,
);

function table(): ReadonlyMap<string, Unit> {
  const units = new Map<string, Unit>();
  for (const [names, factor, of] of UNITS)
    for (const name of names.split(" ")) {
      const unit = { factor: point(parseDecimal(factor)), dimension: of };
      if (!PREFIXED.has(name)) continue;
      const binary = of === INFORMATION ? BINARY : [];
      for (const [prefix, scale] of [...prefixes(name.length > 3 ? WORDS : SYMBOLS), ...binary])
        units.set(prefix + name, { ...unit, factor: multiplyIntervals(unit.factor, point(scale)) });
    }
  // Names without a prefix go before: `min` are no milli-inches, `cd` no centi-days.
  for (const [names, factor, of] of UNITS)
    for (const name of names.split(" ")) units.set(name, { factor: point(parseDecimal(factor)), dimension: of });
  const kelvin = point(rational(1n));
  units.set("degC", { factor: kelvin, dimension: TEMPERATURE, offset: parseDecimal("273.15") });
  units.set("degF", { factor: point(rational(5n, 9n)), dimension: TEMPERATURE, offset: rational(45967n, 180n) });
  units.set("rad", { factor: kelvin, dimension: DIMENSIONLESS });
  units.set("deg", { factor: divideIntervals(PI(), point(rational(180n))), dimension: DIMENSIONLESS });
  units.set("percent", { factor: point(rational(1n, 100n)), dimension: DIMENSIONLESS });
  return units;
}

let known: ReadonlyMap<string, Unit> | undefined;

/** The unit of a name, with a prefix or without; undefined if there is none. */
export const unitOf = (name: string): Unit | undefined => (known ??= table()).get(name);

export const sameDimension = (a: Dimension, b: Dimension): boolean => a.every((exponent, i) => exponent === b[i]);

/** `m/s^2`, `1` without any. */
export function dimensionText(of: Dimension): string {
  const factors = of.map((exponent, i) => [BASE_UNITS[i]!, exponent] as const).filter(([, exponent]) => exponent !== 0);
  const text = (sign: number): string =>
    factors
      .filter(([, exponent]) => Math.sign(exponent) === sign)
      .map(([name, exponent]) => (Math.abs(exponent) === 1 ? name : `${name}^${Math.abs(exponent)}`))
      .join(sign > 0 ? " " : "/");
  const [above, below] = [text(1), text(-1)];
  return `${above === "" ? "1" : above}${below === "" ? "" : `/${below}`}`;
}
