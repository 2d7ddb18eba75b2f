/**
 * Bit-exact scalar conversions between f32 and the small float formats, round to nearest, ties to even.
 *
 * | format | sign, exponent, mantissa | overflow | source |
 * |---|---|---|---|
 * | f16 | 1, 5, 10 | ±Inf | IEEE 754 binary16 |
 * | bf16 | 1, 8, 7 | ±Inf | torch `c10/util/BFloat16.h` |
 * | f8e4m3 | 1, 4, 3; no Inf, NaN = 0x7f | ±448, also of ±Inf | torch `headeronly/util/Float8_e4m3fn.h` (2.13; older versions gave NaN) |
 * | f8e5m2 | 1, 5, 2 | ±Inf | OCP 8-bit floating point |
 */
const f32 = new Float32Array(1);
const u32 = new Uint32Array(f32.buffer);

/** Bits of the f32 nearest to `x`. */
function f32Bits(x: number): number {
  f32[0] = x;
  return u32[0]!;
}

function bitsF32(bits: number): number {
  u32[0] = bits;
  return f32[0]!;
}

/** @returns the 16 bits of `x` (rounded to f32 first) as bf16; every NaN becomes 0x7fc0 with its sign. */
export function toBf16(x: number): number {
  const bits = f32Bits(x);
  if ((bits & 0x7fffffff) > 0x7f800000) return ((bits >>> 16) & 0x8000) | 0x7fc0;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

export function fromBf16(bits: number): number {
  return bitsF32((bits << 16) >>> 0);
}

interface Format {
  readonly mantissa: number;
  /** Exponent bias. */
  readonly bias: number;
  /** Largest biased exponent of a finite number. */
  readonly maxExponent: number;
  /** Largest finite magnitude as bits, and what larger magnitudes become. */
  readonly maxFinite: number;
  readonly overflow: number;
  readonly nan: number;
  readonly signShift: number;
}

const F16: Format = { mantissa: 10, bias: 15, maxExponent: 30, maxFinite: 0x7bff, overflow: 0x7c00, nan: 0x7e00, signShift: 15 };
const E4M3: Format = { mantissa: 3, bias: 7, maxExponent: 15, maxFinite: 0x7e, overflow: 0x7e, nan: 0x7f, signShift: 7 };
const E5M2: Format = { mantissa: 2, bias: 15, maxExponent: 30, maxFinite: 0x7b, overflow: 0x7c, nan: 0x7f, signShift: 7 };

function toSmall(x: number, f: Format): number {
  const value = Math.fround(x);
  const sign = (f32Bits(value) >>> 31) << f.signShift;
  if (value !== value) return sign | f.nan;
  const magnitude = Math.abs(value);
  if (magnitude === Infinity) return sign | f.overflow;
  const exponent = Math.max(((f32Bits(magnitude) >>> 23) & 0xff) - 127, 1 - f.bias);
  // In units of the last place: below 2^(mantissa+1), so exact in f64; a carry runs into the exponent field by itself.
  const scaled = magnitude / 2 ** (exponent - f.mantissa);
  let units = Math.floor(scaled);
  const rest = scaled - units;
  if (rest > 0.5 || (rest === 0.5 && (units & 1) === 1)) units++;
  const bits = (exponent + f.bias - 1) * 2 ** f.mantissa + units;
  return sign | (bits > f.maxFinite ? f.overflow : bits);
}

function fromSmall(bits: number, f: Format): number {
  const sign = (bits >>> f.signShift) & 1 ? -1 : 1;
  const magnitude = bits & ((1 << f.signShift) - 1);
  if (magnitude > f.maxFinite) return magnitude === f.overflow ? sign * Infinity : NaN;
  const exponent = magnitude >>> f.mantissa;
  const fraction = magnitude & ((1 << f.mantissa) - 1);
  const units = exponent === 0 ? fraction : fraction + (1 << f.mantissa);
  return sign * units * 2 ** (Math.max(exponent, 1) - f.bias - f.mantissa);
}

/** @returns the 16 bits of `x` (rounded to f32 first) as f16. */
export function toF16(x: number): number {
  return toSmall(x, F16);
}

export function fromF16(bits: number): number {
  return fromSmall(bits, F16);
}

/** @returns the 8 bits of `x` as f8 e4m3 (FN: what is larger than ±448 becomes that). */
export function toF8e4m3(x: number): number {
  return toSmall(x, E4M3);
}

export function fromF8e4m3(bits: number): number {
  return fromSmall(bits, E4M3);
}

/** @returns the 8 bits of `x` as f8 e5m2. */
export function toF8e5m2(x: number): number {
  return toSmall(x, E5M2);
}

export function fromF8e5m2(bits: number): number {
  return fromSmall(bits, E5M2);
}
