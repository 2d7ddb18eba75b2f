import { bytesPerElement, type DType, isFloat } from "@weft/tensor-core";
import { isSmallFloat } from "@weft/tensor-core/program";
import { fromSmallFloat, toSmallFloat } from "./library.js";

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
export function decodeBits(dtype: DType, bits: string): string {
  if (isSmallFloat(dtype)) return fromSmallFloat(dtype, bits);
  if (dtype === "i8") return `(bitcast<i32>((${bits}) << 24u) >> 24u)`;
  if (dtype === "u8") return `i32(${bits})`;
  return dtype === "bool" ? `i32((${bits}) != 0u)` : `bitcast<${registerType(dtype)}>(${bits})`;
}

/** WGSL for a register value as its stored bit pattern, rounded to nearest even (integers wrap). */
export function encodeValue(dtype: DType, value: string): string {
  if (isSmallFloat(dtype)) return toSmallFloat(dtype, value);
  if (dtype === "i8" || dtype === "u8") return `(bitcast<u32>(${value}) & 0xffu)`;
  return dtype === "bool" ? `u32((${value}) != 0)` : `bitcast<u32>(${value})`;
}

/** WGSL for a register value rounded to `dtype` and read back; the value itself where registers hold it exactly. */
export function roundTo(dtype: DType, value: string): string {
  return dtype === "f32" || dtype === "i32" ? value : decodeBits(dtype, encodeValue(dtype, value));
}
