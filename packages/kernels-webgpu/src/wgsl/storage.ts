import { bytesPerElement, type DType, isFloat } from "@weft/tensor-core";

/** Elements that share one 32-bit word of a storage buffer: 1, 2 or 4. */
export function lanes(dtype: DType): number {
  return 4 / bytesPerElement(dtype);
}

/** Type of a value in registers. */
export function registerType(dtype: DType): "f32" | "i32" {
  return isFloat(dtype) ? "f32" : "i32";
}

/** Element type of the storage array that holds `dtype`: packed types lie in words. */
export function storageType(dtype: DType): "f32" | "i32" | "u32" {
  return dtype === "f32" || dtype === "i32" ? dtype : "u32";
}

/** WGSL for a stored bit pattern (u32, low bits) as a register value. */
const DECODE: Record<DType, (bits: string) => string> = {
  f32: (b) => `bitcast<f32>(${b})`,
  i32: (b) => `bitcast<i32>(${b})`,
  f16: (b) => `unpack2x16float(${b}).x`,
  bf16: (b) => `bitcast<f32>((${b}) << 16u)`,
  f8e4m3: (b) => `w_from_e4m3(${b})`,
  // e5m2 is the upper byte of an f16.
  f8e5m2: (b) => `unpack2x16float((${b}) << 8u).x`,
  i8: (b) => `(bitcast<i32>((${b}) << 24u) >> 24u)`,
  u8: (b) => `i32(${b})`,
  bool: (b) => `i32((${b}) != 0u)`,
};

/** WGSL for a register value as its stored bit pattern, rounded to nearest even (integers wrap). */
const ENCODE: Record<DType, (value: string) => string> = {
  f32: (v) => `bitcast<u32>(${v})`,
  i32: (v) => `bitcast<u32>(${v})`,
  f16: (v) => `w_to_f16(${v})`,
  bf16: (v) => `w_to_bf16(${v})`,
  f8e4m3: (v) => `w_to_e4m3(${v})`,
  f8e5m2: (v) => `w_to_e5m2(${v})`,
  i8: (v) => `(bitcast<u32>(${v}) & 0xffu)`,
  u8: (v) => `(bitcast<u32>(${v}) & 0xffu)`,
  bool: (v) => `u32((${v}) != 0)`,
};

export function decodeBits(dtype: DType, bits: string): string {
  return DECODE[dtype](bits);
}

export function encodeValue(dtype: DType, value: string): string {
  return ENCODE[dtype](value);
}

/** WGSL for a register value rounded to `dtype` and read back; the value itself where registers hold it exactly. */
export function roundTo(dtype: DType, value: string): string {
  return dtype === "f32" || dtype === "i32" ? value : decodeBits(dtype, encodeValue(dtype, value));
}

/**
 * Bit-exact conversions. WGSL's own `pack2x16float` leaves the rounding open, and comparisons with NaN may be compiled
 * away, so that both are done on bits. Products with powers of two are exact, `round` is to nearest even.
 */
export const STORAGE_FUNCTIONS: Readonly<Record<string, string>> = {
  w_to_bf16: `fn w_to_bf16(x: f32) -> u32 {
  let b = bitcast<u32>(x);
  if ((b & 0x7fffffffu) > 0x7f800000u) { return ((b >> 16u) & 0x8000u) | 0x7fc0u; }
  return (b + 0x7fffu + ((b >> 16u) & 1u)) >> 16u;
}`,
  w_to_f16: `fn w_to_f16(x: f32) -> u32 {
  let b = bitcast<u32>(x);
  let s = (b >> 16u) & 0x8000u;
  let a = b & 0x7fffffffu;
  if (a > 0x7f800000u) { return s | 0x7e00u; }
  if (a >= 0x477ff000u) { return s | 0x7c00u; }
  if (a < 0x38800000u) { return s | u32(round(bitcast<f32>(a) * 16777216.0)); }
  return s | ((a + 0xfffu + ((a >> 13u) & 1u) - 0x38000000u) >> 13u);
}`,
  w_to_e4m3: `fn w_to_e4m3(x: f32) -> u32 {
  let b = bitcast<u32>(x);
  let s = (b >> 24u) & 0x80u;
  let a = b & 0x7fffffffu;
  if (a > 0x7f800000u) { return s | 0x7fu; }
  if (a >= 0x43e80000u) { return s | 0x7eu; }
  if (a < 0x3c800000u) { return s | u32(round(bitcast<f32>(a) * 512.0)); }
  return s | ((a + 0x7ffffu + ((a >> 20u) & 1u) - 0x3c000000u) >> 20u);
}`,
  w_from_e4m3: `fn w_from_e4m3(b: u32) -> f32 {
  let s = (b & 0x80u) << 24u;
  let m = b & 0x7fu;
  if (m == 0x7fu) { return bitcast<f32>(s | 0x7fc00000u); }
  if (m < 8u) { return select(1.0, -1.0, s != 0u) * f32(m) * 0.001953125; }
  return bitcast<f32>(s | ((m << 20u) + 0x3c000000u));
}`,
  w_to_e5m2: `fn w_to_e5m2(x: f32) -> u32 {
  let b = bitcast<u32>(x);
  let s = (b >> 24u) & 0x80u;
  let a = b & 0x7fffffffu;
  if (a > 0x7f800000u) { return s | 0x7fu; }
  if (a >= 0x47700000u) { return s | 0x7cu; }
  if (a < 0x38800000u) { return s | u32(round(bitcast<f32>(a) * 65536.0)); }
  return s | ((a + 0xfffffu + ((a >> 21u) & 1u) - 0x38000000u) >> 21u);
}`,
};
