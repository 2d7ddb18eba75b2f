import { DTypeError } from "./errors.js";

/** Storage dtypes of tensors. Computation is f32 (integers: i32) on every backend; the reference computes in f64. */
export const DTYPES = ["f32", "f16", "bf16", "f8e4m3", "f8e5m2", "i32", "i8", "u8", "bool"] as const;

/** The dtypes of tensors: floats, integers and bool. What computes, computes in f32 or i32. */
export type DType = (typeof DTYPES)[number];

const BYTES: Record<DType, number> = { f32: 4, f16: 2, bf16: 2, f8e4m3: 1, f8e5m2: 1, i32: 4, i8: 1, u8: 1, bool: 1 };

/** @throws DTypeError unless it is one of `DTYPES` */
export function assertDType(dtype: DType): void {
  if (!Object.hasOwn(BYTES, dtype))
    throw new DTypeError(`${JSON.stringify(dtype)} is no dtype`, { hint: `there are ${DTYPES.join(", ")}` });
}

/** Bytes of one element. @throws DTypeError for what is no dtype */
export function bytesPerElement(dtype: DType): number {
  assertDType(dtype);
  return BYTES[dtype];
}

/** True for f32, f16, bf16 and the f8 types. */
export function isFloat(dtype: DType): boolean {
  return dtype === "f32" || dtype === "f16" || dtype === "bf16" || dtype === "f8e4m3" || dtype === "f8e5m2";
}

const RANK: Record<DType, number> = { bool: 0, u8: 1, i8: 2, i32: 3, f8e5m2: 4, f8e4m3: 4, f16: 5, bf16: 5, f32: 6 };

/**
 * The dtype of `a ∘ b`, as torch promotes: bool < integers < floats; two different floats of one
 * size (f16 with bf16, the two f8) and u8 with i8 (→ i32; torch: i16) give the next wider type.
 */
export function promote(a: DType, b: DType): DType {
  if (a === b) return a;
  if (RANK[a] === RANK[b]) return "f32";
  const [low, high] = RANK[a] < RANK[b] ? [a, b] : [b, a];
  return low === "u8" && high === "i8" ? "i32" : high;
}
