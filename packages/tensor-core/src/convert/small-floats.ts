import { SCALAR_LANES } from "../program/scalar-lanes.js";
import { decodeSmallFloat, encodeSmallFloat } from "../program/small-floats.js";

/* Bit-exact scalar conversions between f32 and the small float formats, round to nearest, ties to even. */

const { fround } = Math;

/** @returns the 16 bits of `x` (rounded to f32 first) as bf16; every NaN becomes 0x7fc0 with its sign. */
export function toBf16(x: number): number {
  return encodeSmallFloat(SCALAR_LANES, fround(x), "bf16");
}

/** Stored bf16 as the number that it is, exactly. */
export function fromBf16(bits: number): number {
  return decodeSmallFloat(SCALAR_LANES, bits, "bf16");
}

/** @returns the 16 bits of `x` (rounded to f32 first) as f16. */
export function toF16(x: number): number {
  return encodeSmallFloat(SCALAR_LANES, fround(x), "f16");
}

/** Stored f16 as the number that it is, exactly. */
export function fromF16(bits: number): number {
  return decodeSmallFloat(SCALAR_LANES, bits, "f16");
}

/** @returns the 8 bits of `x` as f8 e4m3 (FN: what is larger than ±448 becomes that). */
export function toF8e4m3(x: number): number {
  return encodeSmallFloat(SCALAR_LANES, fround(x), "f8e4m3");
}

/** Stored f8e4m3 as the number that it is, exactly. */
export function fromF8e4m3(bits: number): number {
  return decodeSmallFloat(SCALAR_LANES, bits, "f8e4m3");
}

/** @returns the 8 bits of `x` as f8 e5m2. */
export function toF8e5m2(x: number): number {
  return encodeSmallFloat(SCALAR_LANES, fround(x), "f8e5m2");
}

/** Stored f8e5m2 as the number that it is, exactly. */
export function fromF8e5m2(bits: number): number {
  return decodeSmallFloat(SCALAR_LANES, bits, "f8e5m2");
}
