/** A product C [m, n] = A [m, k] · B [k, n] of given numbers, and how right a result is. */
export interface Product {
  readonly m: number;
  readonly k: number;
  readonly n: number;
  readonly a: Float32Array;
  readonly b: Float32Array;
  readonly name: string;
}

/** Numbers in [-1, 1), the same on every run. */
export function numbers(count: number, seed: number): Float32Array {
  let state = seed;
  return Float32Array.from({ length: count }, () => (state = (state * 48271) % 2147483647) / 1073741824 - 1);
}

export function makeProduct(m: number, k: number, n: number): Product {
  return { m, k, n, a: numbers(m * k, 11), b: numbers(k * n, 23), name: `${m}×${k}·${k}×${n} f32` };
}

/** Entries of a result that are computed again in f64. */
const SAMPLES = 512;

/** Largest error of sampled entries, relative to the largest of them. */
export function productError({ m, k, n, a, b }: Product, c: ArrayLike<number>): number {
  if (c.length !== m * n) return Infinity;
  const places = numbers(2 * SAMPLES, 7);
  let [worst, size] = [0, 0];
  for (let s = 0; s < SAMPLES; s++) {
    const [i, j] = [Math.floor(((places[2 * s]! + 1) / 2) * m), Math.floor(((places[2 * s + 1]! + 1) / 2) * n)];
    let sum = 0;
    for (let p = 0; p < k; p++) sum += a[i * k + p]! * b[p * n + j]!;
    const gap = Math.abs(c[i * n + j]! - sum);
    worst = gap === gap ? Math.max(worst, gap) : Infinity;
    size = Math.max(size, Math.abs(sum));
  }
  return worst / size;
}
