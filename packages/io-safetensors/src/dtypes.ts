import type { DType } from "@weft/tensor-core";

/** Bits of one element of every dtype of the format (safetensors 0.8), in the order in which the reference writes tensors: reversed. */
const BITS = {
  BOOL: 8,
  F4: 4,
  F6_E2M3: 6,
  F6_E3M2: 6,
  U8: 8,
  I8: 8,
  F8_E5M2: 8,
  F8_E4M3: 8,
  F8_E8M0: 8,
  F8_E4M3FNUZ: 8,
  F8_E5M2FNUZ: 8,
  I16: 16,
  U16: 16,
  F16: 16,
  BF16: 16,
  I32: 32,
  U32: 32,
  F32: 32,
  C64: 64,
  F64: 64,
  I64: 64,
  U64: 64,
} as const;

/** A dtype as a safetensors file spells it. */
export type SafetensorsDType = keyof typeof BITS;

/** All 22 dtypes, in ascending order of the reference. */
export const SAFETENSORS_DTYPES: readonly SafetensorsDType[] = Object.keys(BITS) as SafetensorsDType[];

/** Bits that an element of a dtype takes in a file: 4 to 64. */
export function bitsPerElement(dtype: SafetensorsDType): number {
  return BITS[dtype];
}

/** The dtype of that name, if there is one; `constructor` and the like are none. */
export function parseDType(name: string): SafetensorsDType | undefined {
  return Object.hasOwn(BITS, name) ? (name as SafetensorsDType) : undefined;
}

const CORE: ReadonlyMap<SafetensorsDType, DType> = new Map([
  ["F32", "f32"],
  ["F16", "f16"],
  ["BF16", "bf16"],
  ["F8_E4M3", "f8e4m3"],
  ["F8_E5M2", "f8e5m2"],
  ["I32", "i32"],
  ["I8", "i8"],
  ["U8", "u8"],
  ["BOOL", "bool"],
]);

/** The dtype that tensors compute with; undefined for those that have none (F64, I64, F4 …). */
export function toCoreDType(dtype: SafetensorsDType): DType | undefined {
  return CORE.get(dtype);
}

/** The name that safetensors has for a dtype of tensor-core's. */
export function fromCoreDType(dtype: DType): SafetensorsDType {
  for (const [name, core] of CORE) if (core === dtype) return name;
  throw new RangeError(`no safetensors dtype for ${dtype}`);
}
