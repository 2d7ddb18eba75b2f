import { type DType, isFloat, roundTo } from "@weft/tensor-core";

/**
 * What a correct backend may answer: the element lies between `lo` and `hi`. Where both are NaN it must be NaN; from -∞ to ∞ it may be anything,
 * NaN too. Equal bounds leave no choice.
 */
export interface Bounds {
  readonly lo: Float64Array;
  readonly hi: Float64Array;
}

/** Below this f32 has fewer digits, and some backends have zero. */
const SMALLEST_NORMAL = 2 ** -126;

export const point = (values: Float64Array): Bounds => ({ lo: values, hi: values });
export const isPoint = ({ lo, hi }: Bounds, i: number): boolean => lo[i] === hi[i] || (lo[i] !== lo[i] && hi[i] !== hi[i]);
export const isAnything = ({ lo, hi }: Bounds, i: number): boolean => lo[i] === -Infinity && hi[i] === Infinity;
export const contains = ({ lo, hi }: Bounds, i: number, got: number): boolean =>
  (lo[i]! <= got && got <= hi[i]!) || (got !== got && (lo[i] !== lo[i] || isAnything({ lo, hi }, i)));

/** Bounds of `count` elements that are written one by one. */
export class Writer implements Bounds {
  readonly lo: Float64Array;
  readonly hi: Float64Array;

  constructor(count: number) {
    this.lo = new Float64Array(count);
    this.hi = new Float64Array(count);
  }

  /** @param error how far a computed value may lie off, in either direction; NaN bounds of inputs that are no points mean that nothing is known */
  set(i: number, lo: number, hi: number, error = 0): void {
    const known = lo === lo && hi === hi && error === error;
    this.lo[i] = known ? (error === 0 ? lo : lo - error) : -Infinity;
    this.hi[i] = known ? (error === 0 ? hi : hi + error) : Infinity;
  }

  exactly(i: number, value: number): void {
    this.lo[i] = value;
    this.hi[i] = value;
  }

  anything(i: number): void {
    this.lo[i] = -Infinity;
    this.hi[i] = Infinity;
  }
}

/**
 * The bounds once a result is stored: computed in f32 registers, then rounded to its dtype, or not rounded where a fused program or a kernel goes on
 * with the register. An exact result that the dtype holds stays exact.
 */
export function stored({ lo, hi }: Bounds, dtype: DType): Bounds {
  const result = new Writer(lo.length);
  for (let i = 0; i < lo.length; i++) {
    const [a, b] = [lo[i]!, hi[i]!];
    if (a !== a || b !== b) result.exactly(i, NaN);
    else if (!isFloat(dtype)) storeInteger(result, i, a, b, dtype);
    else storeFloat(result, i, a, b, dtype);
  }
  return result;
}

function storeInteger(result: Writer, i: number, a: number, b: number, dtype: DType): void {
  if (a === b) result.exactly(i, roundTo(a, dtype));
  else if (roundTo(a, dtype) === a && roundTo(b, dtype) === b) result.set(i, a, b);
  else result.anything(i);
}

function storeFloat(result: Writer, i: number, a: number, b: number, dtype: DType): void {
  if (a === b && roundTo(a, dtype) === a && (a === 0 || !(Math.abs(a) < SMALLEST_NORMAL))) return result.exactly(i, a);
  const candidates = [a, Math.fround(a), roundTo(a, dtype), b, Math.fround(b), roundTo(b, dtype)];
  let [low, high] = [Math.min(...candidates), Math.max(...candidates)];
  // Overflow has its own rules per dtype: infinity, NaN, or a finite number where a register is not rounded.
  if (low !== low || (Number.isFinite(a) && !Number.isFinite(low)) || (Number.isFinite(b) && !Number.isFinite(high))) {
    if (dtype !== "f32" && !(Math.abs(a) > 3e38 || Math.abs(b) > 3e38)) return result.anything(i);
    [low, high] = [low !== low ? -Infinity : low, high !== high ? Infinity : high];
  }
  if (low > 0 && low < SMALLEST_NORMAL) low = 0;
  if (high < 0 && high > -SMALLEST_NORMAL) high = 0;
  if (Math.abs(high) < SMALLEST_NORMAL && high > 0) high = SMALLEST_NORMAL;
  if (Math.abs(low) < SMALLEST_NORMAL && low < 0) low = -SMALLEST_NORMAL;
  result.set(i, low, high);
}
