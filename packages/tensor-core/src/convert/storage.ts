import { assertDType, bytesPerElement, type DType, isFloat } from "../dtype.js";
import { fromBf16, fromF16, fromF8e4m3, fromF8e5m2, toBf16, toF16, toF8e4m3, toF8e5m2 } from "./small-floats.js";

/** Integer wrap-around as torch: saturating nowhere, truncation toward zero from floats. */
const INTEGER: Partial<Record<DType, (x: number) => number>> = {
  i32: (x) => x | 0,
  i8: (x) => (x << 24) >> 24,
  u8: (x) => x & 0xff,
  bool: (x) => (x !== 0 ? 1 : 0),
};

const ROUND: Record<DType, (x: number) => number> = {
  f32: Math.fround,
  f16: (x) => fromF16(toF16(x)),
  bf16: (x) => fromBf16(toBf16(x)),
  f8e4m3: (x) => fromF8e4m3(toF8e4m3(x)),
  f8e5m2: (x) => fromF8e5m2(toF8e5m2(x)),
  i32: INTEGER.i32!,
  i8: INTEGER.i8!,
  u8: INTEGER.u8!,
  bool: INTEGER.bool!,
};

/** The value that `x` has once stored as `dtype`: floats to nearest (ties to even) by way of f32, integers truncated and wrapped, bool 0 or 1. */
export function roundTo(x: number, dtype: DType): number {
  assertDType(dtype);
  return ROUND[dtype](x);
}

/** i32 by truncation; what lies beyond its limits becomes the nearest of them, NaN 0. */
const saturate = (x: number): number => (x !== x ? 0 : Math.max(-(2 ** 31), Math.min(2 ** 31 - 1, Math.trunc(x))));

/** The value that `x`, a value of dtype `from`, has as a `to`. @see primitives/cast.ts */
export function castTo(x: number, from: DType, to: DType): number {
  return roundTo(isFloat(from) && !isFloat(to) && to !== "bool" ? saturate(x) : x, to);
}

/** The value of dtype `to` with the bits of `x`, a value of dtype `from`. @see primitives/bitcast.ts */
export function bitcastTo(x: number, from: DType, to: DType): number {
  const bytes = new Uint8Array(4);
  const width = Math.max(bytesPerElement(from), bytesPerElement(to));
  bytes.set(encode([x], from));
  return decode(bytes.subarray(0, width), to)[0]!;
}

function copyAligned(bytes: Uint8Array, width: number): Uint8Array {
  return bytes.byteOffset % width === 0 ? bytes : bytes.slice();
}

const DECODE: Record<DType, (bits: number) => number> = {
  f32: (x) => x,
  f16: fromF16,
  bf16: fromBf16,
  f8e4m3: fromF8e4m3,
  f8e5m2: fromF8e5m2,
  i32: (x) => x,
  i8: (x) => x,
  u8: (x) => x,
  bool: (x) => (x !== 0 ? 1 : 0),
};

const ENCODE: Record<DType, (x: number) => number> = { ...ROUND, f16: toF16, bf16: toBf16, f8e4m3: toF8e4m3, f8e5m2: toF8e5m2 };

/** The typed array that holds raw elements of `dtype` (bit patterns for the small floats). */
export function rawView(bytes: Uint8Array, dtype: DType): Float32Array | Int32Array | Uint16Array | Int8Array | Uint8Array {
  const aligned = copyAligned(bytes, bytesPerElement(dtype));
  const { buffer, byteOffset } = aligned;
  const length = aligned.byteLength / bytesPerElement(dtype);
  switch (dtype) {
    case "f32":
      return new Float32Array(buffer, byteOffset, length);
    case "i32":
      return new Int32Array(buffer, byteOffset, length);
    case "f16":
    case "bf16":
      return new Uint16Array(buffer, byteOffset, length);
    case "i8":
      return new Int8Array(buffer, byteOffset, length);
    default:
      return new Uint8Array(buffer, byteOffset, length);
  }
}

/** One stored element as a number. */
export function decodeElement(raw: number, dtype: DType): number {
  return DECODE[dtype](raw);
}

/** A number as the raw element that `rawView` stores. */
export function encodeElement(x: number, dtype: DType): number {
  return ENCODE[dtype](x);
}

/** Stored bytes (little-endian) as f64 values. */
export function decode(bytes: Uint8Array, dtype: DType): Float64Array {
  return Float64Array.from(rawView(bytes, dtype), DECODE[dtype]);
}

/** Values as stored bytes, rounded as `roundTo` does. */
export function encode(values: ArrayLike<number>, dtype: DType): Uint8Array {
  const bytes = new Uint8Array(values.length * bytesPerElement(dtype));
  const raw = rawView(bytes, dtype);
  const convert = ENCODE[dtype];
  for (let i = 0; i < values.length; i++) raw[i] = convert(values[i]!);
  return bytes;
}
