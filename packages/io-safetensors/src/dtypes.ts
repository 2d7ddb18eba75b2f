import { assertDType, type DType, DTypeError, dtypeHint } from "@weft/tensor-core";

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

function assertSafetensorsDType(dtype: SafetensorsDType): void {
  if (!Object.hasOwn(BITS, dtype))
    throw new DTypeError(`${JSON.stringify(dtype)} is no dtype of safetensors`, { hint: dtypeHint(`${dtype}`, SAFETENSORS_DTYPES) });
}

/** Bits that an element of a dtype takes in a file: 4 to 64. @throws DTypeError for what is no dtype of the format */
export function bitsPerElement(dtype: SafetensorsDType): number {
  assertSafetensorsDType(dtype);
  return BITS[dtype];
}

/** The dtype of that name, if there is one; `constructor` and the like are none. */
export function parseDType(name: string): SafetensorsDType | undefined {
  return Object.hasOwn(BITS, name) ? (name as SafetensorsDType) : undefined;
}

const OF_CORE: { readonly [dtype in DType]: SafetensorsDType } = {
  f32: "F32",
  f16: "F16",
  bf16: "BF16",
  f8e4m3: "F8_E4M3",
  f8e5m2: "F8_E5M2",
  i32: "I32",
  i8: "I8",
  u8: "U8",
  bool: "BOOL",
};
const TO_CORE = new Map(Object.entries(OF_CORE).map(([core, name]) => [name, core as DType]));

/** The dtype that tensors compute with; undefined for those that have none (F64, I64, F4 …). @throws DTypeError for what is no dtype of the format */
export function toCoreDType(dtype: SafetensorsDType): DType | undefined {
  assertSafetensorsDType(dtype);
  return TO_CORE.get(dtype);
}

/** The name that safetensors has for a dtype of tensor-core's. @throws DTypeError for what is none */
export function fromCoreDType(dtype: DType): SafetensorsDType {
  assertDType(dtype);
  return OF_CORE[dtype];
}
