import type { Device } from "../device.js";
import { assertDType, type DType, isFloat } from "../dtype.js";
import type { Tensor } from "../graph.js";
import { type Shape, sizeOf } from "../shape.js";

/** How far a result may lie from what is expected: |got - expected| ≤ absolute + relative · |expected|. */
export interface Tolerance {
  readonly relative: number;
  readonly absolute: number;
  /** Where the difference comes from. */
  readonly reason: string;
}

/**
 * One computation that every backend must do alike. Results are compared with the reference backend's; so are the gradients
 * of Σ outputs · fixed weights with respect to every float constant in the graph.
 */
export interface ConformanceCase {
  readonly name: string;
  /** Builds the outputs out of constants; called once per device. */
  readonly build: (device: Device) => Tensor | readonly Tensor[];
  readonly tolerance: Tolerance;
  /** The values of the outputs, where they are known from elsewhere (torch): then the reference is checked against them as well. */
  readonly expected?: readonly (readonly number[])[];
  /** Why gradients are not compared. */
  readonly noGradient?: string;
  /** Why finite differences do not tell the gradient: the function has steps, or kinks at these inputs. */
  readonly nonsmooth?: string;
}

/** Distance between neighbouring values of a dtype near 1: what one rounding the other way makes. */
export function ulp(dtype: DType): number {
  assertDType(dtype);
  return { f32: 2 ** -23, f16: 2 ** -10, bf16: 2 ** -7, f8e4m3: 2 ** -3, f8e5m2: 2 ** -2, i32: 0, i8: 0, u8: 0, bool: 0 }[dtype];
}

/** The tolerance of what must be equal to the bit. */
export const EXACT: Tolerance = { relative: 0, absolute: 0, reason: "moves, compares, counts, or rounds once: the same bits everywhere" };

/** One rounding to the dtype may go the other way, where what is rounded differs in its last bits. */
export function rounded(dtype: DType): Tolerance {
  return { relative: ulp(dtype), absolute: 1e-5, reason: `one rounding to ${dtype} may go the other way` };
}

/** For sums of `k` products of numbers of size about 1: k roundings of partial sums of size √k, then one to the dtype. */
export function products(k: number, dtype: DType = "f32"): Tolerance {
  return { relative: ulp(dtype), absolute: Math.max(1, k * Math.sqrt(k)) * 2 ** -23, reason: `sums of ${k} f32 products in another order` };
}

/** Functions without a prescribed rounding. */
export const FUNCTION: Tolerance = {
  relative: 2e-6,
  absolute: 1e-7,
  reason: "exp, log, sin and their like are polynomials in f32, good to some last places",
};

/** Normalisations, losses and other chains of sums and functions. */
export const CHAIN: Tolerance = {
  relative: 1e-5,
  absolute: 1e-5,
  reason: "a function of f32 sums in another order, of inputs of size about 1",
};

/** Deterministic numbers, roughly normal, with exact zeros and both signs among them. */
export function numbers(count: number, seed = 1): Float32Array {
  let state = seed * 2654435761 + 12345;
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state >>> 8) / 2 ** 24;
  };
  return Float32Array.from({ length: count }, (_, i) => (i % 17 === 3 ? 0 : Math.fround((next() + next() + next() - 1.5) * 2)));
}

/** A constant of deterministic numbers: floats of size about 1, integers up to about ±150, bool half of each. */
export function sample(device: Device, shape: Shape, dtype: DType = "f32", seed = 1): Tensor {
  const convert = (v: number): number => (isFloat(dtype) ? v : dtype === "bool" ? (v > 0 ? 1 : 0) : Math.round(v * 50));
  return device.tensor(Float64Array.from(numbers(sizeOf(shape), seed), convert), { shape, dtype });
}

/** A constant of deterministic numbers between 0.3 and about 3.3. */
export function positive(device: Device, shape: Shape, dtype: DType = "f32", seed = 1): Tensor {
  return device.tensor(
    Float64Array.from(numbers(sizeOf(shape), seed), (v) => Math.abs(v) + 0.3),
    { shape, dtype },
  );
}
