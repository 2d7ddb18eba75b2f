import { numbers } from "../matmul/product.js";

/** A LoRA layer with given numbers: x [m, in], W [out, in], A [r, in], B [out, r]. */
export interface LoraCase {
  readonly name: string;
  readonly m: number;
  readonly inputs: number;
  readonly out: number;
  readonly r: number;
  readonly scale: number;
  readonly x: Float32Array;
  readonly w: Float32Array;
  readonly a: Float32Array;
  readonly b: Float32Array;
}

export function makeLoraCase(m: number, inputs: number, out: number, r: number): LoraCase {
  return {
    name: `${m}×${inputs} → ${out}, r ${r}, f32`,
    m,
    inputs,
    out,
    r,
    scale: 2,
    x: numbers(m * inputs, 3),
    w: numbers(out * inputs, 5),
    a: numbers(r * inputs, 7),
    b: numbers(out * r, 11),
  };
}

/** Largest error of sampled entries of y against f64, relative to the largest of them. */
export function loraError({ m, inputs, out, r, scale, x, w, a, b }: LoraCase, y: ArrayLike<number>): number {
  if (y.length !== m * out) return Infinity;
  let [worst, size] = [0, 0];
  for (let s = 0; s < 16; s++) {
    const row = Math.floor((s * m) / 16);
    const xi = (p: number): number => x[row * inputs + p]!;
    const low = Array.from({ length: r }, (_, j) => {
      let sum = 0;
      for (let p = 0; p < inputs; p++) sum += xi(p) * a[j * inputs + p]!;
      return sum;
    });
    for (let o = s % 7; o < out; o += 31) {
      let sum = 0;
      for (let p = 0; p < inputs; p++) sum += xi(p) * w[o * inputs + p]!;
      for (let j = 0; j < r; j++) sum += scale * low[j]! * b[o * r + j]!;
      const gap = Math.abs(y[row * out + o]! - sum);
      worst = gap === gap ? Math.max(worst, gap) : Infinity;
      size = Math.max(size, Math.abs(sum));
    }
  }
  return worst / size;
}
