import { type DType, isFloat } from "@weft/tensor-core";
import { type Bounds, isAnything, isPoint, Writer } from "./bounds.js";

/** How far an f32 result lies off: a share of it, and an absolute part. */
interface Accuracy {
  readonly relative: number;
  readonly absolute: number;
}

/** Rounded correctly, or rounded once more by the store. */
const EXACT: Accuracy = { relative: 0, absolute: 0 };
/** WGSL gives division and roots 2.5 units in the last place. */
const QUOTIENT: Accuracy = { relative: 3 * 2 ** -23, absolute: 0 };
/** Polynomials in f32: as the conformance cases allow them. */
const FUNCTION: Accuracy = { relative: 2e-6, absolute: 1e-7 };

/** f64 error function; absolute error below 1e-13. */
function erf(x: number): number {
  if (x !== x) return NaN;
  const a = Math.abs(x);
  if (a > 6) return Math.sign(x);
  // ∫ by the series with positive terms, which does not cancel: erf(a) = 2/√π·e^(-a²)·Σ 2ⁿa²ⁿ⁺¹/(2n+1)!!
  let [term, total] = [a, a];
  for (let n = 1; term > 1e-18 * total; n++) total += term *= (2 * a * a) / (2 * n + 1);
  return ((Math.sign(x) * 2) / Math.sqrt(Math.PI)) * Math.exp(-a * a) * total;
}

function roundEven(x: number): number {
  const low = Math.floor(x);
  return x - low === 0.5 ? low + (Math.abs(low) % 2) : Math.round(x);
}

/** A function that grows or falls over its whole domain. */
interface Monotone {
  readonly f: (x: number) => number;
  readonly falls?: boolean;
  readonly accuracy: Accuracy;
  /** Further error at x, for an argument that is reduced first. */
  readonly reduction?: (x: number) => number;
}

const MONOTONE: Readonly<Record<string, Monotone>> = {
  neg: { f: (x) => -x, falls: true, accuracy: EXACT },
  sign: { f: Math.sign, accuracy: EXACT },
  exp: { f: Math.exp, accuracy: FUNCTION, reduction: (x) => Math.exp(x) * Math.abs(x) * 2 ** -22 },
  log: { f: Math.log, accuracy: FUNCTION },
  tanh: { f: Math.tanh, accuracy: FUNCTION },
  erf: { f: erf, accuracy: FUNCTION },
  sqrt: { f: Math.sqrt, accuracy: QUOTIENT },
  rsqrt: { f: (x) => 1 / Math.sqrt(x), falls: true, accuracy: QUOTIENT },
  floor: { f: Math.floor, accuracy: EXACT },
  ceil: { f: Math.ceil, accuracy: EXACT },
  round: { f: roundEven, accuracy: EXACT },
};

/** What a primitive of one input makes of the bounds of its input, before it is stored. */
export function unaryBounds(op: string, x: Bounds): Bounds | undefined {
  const result = new Writer(x.lo.length);
  const monotone = MONOTONE[op];
  if (!monotone && !["abs", "reciprocal", "sin", "cos", "not"].includes(op)) return undefined;
  for (let i = 0; i < x.lo.length; i++) {
    const [a, b] = [x.lo[i]!, x.hi[i]!];
    const one = isPoint(x, i);
    if (isAnything(x, i) && op !== "not") result.anything(i);
    else if (monotone) {
      const { f, falls, accuracy, reduction } = monotone;
      const [low, high] = falls ? [f(b), f(a)] : [f(a), f(b)];
      if (one && low !== low) result.exactly(i, NaN);
      else if (one && (accuracy === EXACT || !Number.isFinite(low))) result.exactly(i, low);
      else
        result.set(
          i,
          low,
          high,
          errorOf(accuracy, low, high) + (reduction && Number.isFinite(high) ? Math.max(reduction(a), reduction(b)) : 0),
        );
    } else other(op, result, i, a, b, one);
  }
  return result;
}

const errorOf = ({ relative, absolute }: Accuracy, low: number, high: number): number => {
  const size = Math.max(Math.abs(low), Math.abs(high));
  return relative === 0 ? absolute : Number.isFinite(size) ? size * relative + absolute : 0;
};

function other(op: string, result: Writer, i: number, a: number, b: number, one: boolean): void {
  if (op === "abs") {
    const [low, high] = [Math.min(Math.abs(a), Math.abs(b)), Math.max(Math.abs(a), Math.abs(b))];
    if (one) result.exactly(i, Math.abs(a));
    else result.set(i, a <= 0 && b >= 0 ? 0 : low, high);
  } else if (op === "not") {
    if (one) result.exactly(i, a === 0 ? 1 : 0);
    else result.set(i, 0, a <= 0 && b >= 0 ? 1 : 0);
  } else if (op === "reciprocal") {
    if (one && (a !== a || a === 0 || !Number.isFinite(a))) result.exactly(i, 1 / a);
    else if (a <= 0 && b >= 0) result.anything(i);
    else result.set(i, 1 / b, 1 / a, errorOf(QUOTIENT, 1 / a, 1 / b));
  } else wave(op, result, i, a, b);
}

/** sin and cos: within the error that the reduction of the argument makes, and never outside [-1, 1]. */
function wave(op: string, result: Writer, i: number, a: number, b: number): void {
  if (!Number.isFinite(a) || !Number.isFinite(b)) {
    if (a !== b && !(a !== a && b !== b)) result.anything(i);
    else result.exactly(i, NaN);
    return;
  }
  const middle = (a + b) / 2;
  const value = op === "sin" ? Math.sin(middle) : Math.cos(middle);
  const size = Math.max(Math.abs(a), Math.abs(b));
  // |sin x - sin y| ≤ |x - y|; arguments beyond this lose their digits on reduction.
  const error = size > 1e4 ? 2 : (b - a) / 2 + 2e-6 + size * 2 ** -21;
  if (a === b && a === 0) return result.exactly(i, value);
  // Slightly beyond 1 is what a polynomial may give.
  result.set(i, Math.max(-1.00001, value - error), Math.min(1.00001, value + error));
}

const min4 = (a: number, b: number, c: number, d: number): number => Math.min(a, b, c, d);
const max4 = (a: number, b: number, c: number, d: number): number => Math.max(a, b, c, d);

/** The f64 result of two numbers; integers as i32 registers have it, before they are stored. */
function exactly(op: string, a: number, b: number, float: boolean): number {
  switch (op) {
    case "add":
      return a + b;
    case "sub":
      return a - b;
    case "mul":
      return float ? a * b : Math.imul(a, b);
    case "div":
      return float ? a / b : b === 0 ? 0 : Math.trunc(a / b);
    case "mod":
      return float ? a - Math.floor(a / b) * b : b === 0 ? 0 : a - Math.floor(a / b) * b;
    case "pow":
      return Math.pow(a, b);
    case "max":
      return a !== a || b !== b ? NaN : Math.max(a, b);
    case "bitAnd":
      return a & b;
    case "bitOr":
      return a | b;
    case "bitXor":
      return a ^ b;
    case "shiftLeft":
      return b >= 0 && b < 32 ? a << b : 0;
    case "shiftRight":
      return Math.floor(a / 2 ** (b >= 0 && b < 32 ? b : 32));
    default:
      return a !== a || b !== b ? NaN : Math.min(a, b);
  }
}

/** What a primitive of two inputs makes of bounds, before it is stored; undefined for others. `dtype` is that of the inputs. */
export function binaryBounds(op: string, x: Bounds, y: Bounds, dtype: DType): Bounds | undefined {
  const float = isFloat(dtype);
  const result = new Writer(x.lo.length);
  for (let i = 0; i < x.lo.length; i++) {
    const [a, b, c, d] = [x.lo[i]!, x.hi[i]!, y.lo[i]!, y.hi[i]!];
    const points = isPoint(x, i) && isPoint(y, i);
    if (op in COMPARISONS) COMPARISONS[op]!(result, i, a, b, c, d);
    else if (!ARITHMETIC.has(op)) return undefined;
    else if (isAnything(x, i) || isAnything(y, i)) result.anything(i);
    else if (points && (!float || !["div", "mod", "pow"].includes(op))) result.exactly(i, exactly(op, a, c, float));
    else if (points) inexactPoint(op, result, i, a, c);
    else if (!float && (op === "pow" || BITS.has(op))) result.anything(i);
    else range(op, result, i, [a, b, c, d], float);
  }
  return result;
}

const BITS = new Set(["bitAnd", "bitOr", "bitXor", "shiftLeft", "shiftRight"]);
const ARITHMETIC = new Set(["add", "sub", "mul", "div", "mod", "pow", "max", "min", ...BITS]);

function inexactPoint(op: string, result: Writer, i: number, a: number, b: number): void {
  const value = exactly(op, a, b, true);
  if (value !== value || !Number.isFinite(value) || a === 0 || b === 0) {
    // What lies beyond f32 on the way is left open.
    if (op === "mod" && Number.isFinite(a) && b !== 0) result.anything(i);
    else result.exactly(i, value);
  } else if (op === "div") result.set(i, value, value, errorOf(QUOTIENT, value, value));
  else if (op === "pow") result.set(i, value, value, powError(a, b, value));
  else remainder(result, i, a, a, b, b);
}

const powError = (a: number, b: number, value: number): number =>
  Number.isFinite(value) ? Math.abs(value) * (4e-6 + Math.abs(b * Math.log(Math.abs(a) || 1)) * 2 ** -21) + 1e-38 : 0;

/** a - ⌊a/b⌋·b: close to a multiple of b either end of the range may come out. */
function remainder(result: Writer, i: number, a: number, a2: number, b: number, b2: number): void {
  if (b !== b2 || b === 0 || !Number.isFinite(a + a2 + b)) return result.anything(i);
  const size = Math.max(Math.abs(a), Math.abs(a2));
  const error = size * 2 ** -21 + Math.abs(b) * 2 ** -22;
  const [low, high] = [Math.floor((a - error) / b), Math.floor((a2 + error) / b)];
  if (low === high && size / Math.abs(b) < 2 ** 20) result.set(i, a - low * b, a2 - low * b, error);
  else result.set(i, Math.min(0, b), Math.max(0, b), error);
}

function range(op: string, result: Writer, i: number, [a, b, c, d]: readonly [number, number, number, number], float: boolean): void {
  switch (op) {
    case "add":
      return result.set(i, a + c, b + d);
    case "sub":
      return result.set(i, a - d, b - c);
    case "max":
      return result.set(i, Math.max(a, c), Math.max(b, d));
    case "min":
      return result.set(i, Math.min(a, c), Math.min(b, d));
    case "mul": {
      const [p, q, r, s] = [a * c, a * d, b * c, b * d];
      return result.set(i, min4(p, q, r, s), max4(p, q, r, s));
    }
    case "mod":
      return float ? remainder(result, i, a, b, c, d) : result.anything(i);
    case "div": {
      if (c <= 0 && d >= 0) return result.anything(i);
      const all = [a / c, a / d, b / c, b / d].map((v) => (float ? v : Math.trunc(v))) as [number, number, number, number];
      const [low, high] = [min4(...all), max4(...all)];
      return result.set(i, low, high, float ? errorOf(QUOTIENT, low, high) : 0);
    }
    default: {
      if (!(a > 0)) return result.anything(i);
      const all = [a ** c, a ** d, b ** c, b ** d] as const;
      const [low, high] = [min4(...all), max4(...all)];
      const error = Math.max(powError(a, c, high), powError(a, d, high), powError(b, c, high), powError(b, d, high));
      return result.set(i, low, high, error);
    }
  }
}

type Compare = (result: Writer, i: number, a: number, b: number, c: number, d: number) => void;

/** A comparison out of when it is surely true, and when surely false; NaN compares false, but for `ne`. */
const comparison =
  (
    yes: (a: number, b: number, c: number, d: number) => boolean,
    no: (a: number, b: number, c: number, d: number) => boolean,
    nan = 0,
  ): Compare =>
  (result, i, a, b, c, d) => {
    if (a !== a || c !== c) result.exactly(i, nan);
    else if ((a === -Infinity && b === Infinity) || (c === -Infinity && d === Infinity)) result.set(i, 0, 1);
    else result.set(i, yes(a, b, c, d) ? 1 : 0, no(a, b, c, d) ? 0 : 1);
  };

const same = (a: number, b: number, c: number, d: number): boolean => a === b && c === d && a === c;
const apart = (a: number, b: number, c: number, d: number): boolean => b < c || d < a;
const zero = (a: number, b: number): boolean => a === 0 && b === 0;
/** May be zero. */
const maybeZero = (a: number, b: number): boolean => a <= 0 && b >= 0;

const COMPARISONS: Readonly<Record<string, Compare>> = {
  eq: comparison(same, apart),
  ne: comparison(apart, same, 1),
  lt: comparison(
    (_a, b, c) => b < c,
    (a, _b, _c, d) => a >= d,
  ),
  le: comparison(
    (_a, b, c) => b <= c,
    (a, _b, _c, d) => a > d,
  ),
  and: (result, i, a, b, c, d) => result.set(i, maybeZero(a, b) || maybeZero(c, d) ? 0 : 1, zero(a, b) || zero(c, d) ? 0 : 1),
  or: (result, i, a, b, c, d) => result.set(i, maybeZero(a, b) && maybeZero(c, d) ? 0 : 1, zero(a, b) && zero(c, d) ? 0 : 1),
};

/** condition ? a : b. */
export function whereBounds(c: Bounds, a: Bounds, b: Bounds): Bounds {
  const result = new Writer(c.lo.length);
  for (let i = 0; i < c.lo.length; i++) {
    const chosen = isPoint(c, i) ? (c.lo[i] !== 0 ? a : b) : undefined;
    if (chosen && isPoint(chosen, i)) result.exactly(i, chosen.lo[i]!);
    else if (chosen) result.set(i, chosen.lo[i]!, chosen.hi[i]!);
    else result.set(i, Math.min(a.lo[i]!, b.lo[i]!), Math.max(a.hi[i]!, b.hi[i]!));
  }
  return result;
}
