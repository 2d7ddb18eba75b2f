import { type Bounds, isAnything, isPoint, type Writer } from "./bounds.js";

/** Unit roundoff of f32. */
export const UNIT: number = 2 ** -24;
const LARGEST = 3.4028234663852886e38;

/**
 * Adds up products (or plain terms) with what f32 sums in any order may be off: |fl(Σ xᵢ) - Σ xᵢ| ≤ γₙ·Σ|xᵢ|, γₙ = n·u/(1 - n·u); products are
 * rounded once more. Sums of whole numbers below 2^24 are exact.
 * @see Higham 2002, Accuracy and Stability of Numerical Algorithms, sections 3.1 and 4.2
 */
export class Sum {
  private middle = 0;
  private radius = 0;
  private size = 0;
  private count = 0;
  private whole = true;
  private anything = false;
  /** Infinities and NaN among the terms, as f64 adds them up; undefined if there are none. */
  private special: number | undefined;

  add(x: Bounds, i: number): void {
    this.term(isAnything(x, i), isPoint(x, i), x.lo[i]!, x.hi[i]!);
  }

  addProduct(x: Bounds, i: number, y: Bounds, k: number): void {
    if (isAnything(x, i) || isAnything(y, k)) return void (this.anything = true);
    if (isPoint(x, i) && isPoint(y, k)) {
      const product = x.lo[i]! * y.lo[k]!;
      return this.term(false, true, product, product);
    }
    const [p, q, r, s] = [x.lo[i]! * y.lo[k]!, x.lo[i]! * y.hi[k]!, x.hi[i]! * y.lo[k]!, x.hi[i]! * y.hi[k]!];
    const [low, high] = [Math.min(p, q, r, s), Math.max(p, q, r, s)];
    this.term(low !== low, false, low, high);
  }

  private term(anything: boolean, exact: boolean, low: number, high: number): void {
    this.count++;
    if (anything) this.anything = true;
    else if (exact && !Number.isFinite(low)) this.special = (this.special ?? 0) + low;
    else if (!Number.isFinite(low) || !Number.isFinite(high)) this.anything = true;
    else {
      this.middle += (low + high) / 2;
      this.radius += (high - low) / 2;
      this.size += Math.max(Math.abs(low), Math.abs(high));
      this.whole &&= exact && Number.isInteger(low);
    }
  }

  /** @param integer the sum is one of i32, which wraps */
  store(result: Writer, i: number, integer = false): void {
    if (this.anything || (!integer && this.size > LARGEST)) return result.anything(i);
    if (this.special !== undefined) return result.exactly(i, this.special);
    if (this.radius === 0 && this.whole && this.size < (integer ? Infinity : 2 ** 24))
      return result.exactly(i, integer ? this.middle | 0 : this.middle);
    const n = this.count + 2;
    const error = integer ? 0 : ((n * UNIT) / (1 - n * UNIT)) * this.size + this.count * 2 ** -126;
    // What f64 itself loses.
    const own = n * 2 ** -52 * this.size;
    result.set(i, this.middle - this.radius, this.middle + this.radius, this.count <= 1 ? own : error + own);
  }
}
