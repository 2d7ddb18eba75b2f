/** What one element of metadata is: `u8` … `i64` are integers, `f32` and `f64` floats. */
export type GgufScalarType = "u8" | "i8" | "u16" | "i16" | "u32" | "i32" | "f32" | "bool" | "string" | "u64" | "i64" | "f64";

/** Numbers of a file for each type, by position; 9 is an array. @see ggml `gguf.h` gguf_type */
export const VALUE_TYPES: readonly (GgufScalarType | "array")[] = [
  "u8",
  "i8",
  "u16",
  "i16",
  "u32",
  "i32",
  "f32",
  "bool",
  "string",
  "array",
  "u64",
  "i64",
  "f64",
];

/** Text. What is not UTF-8, as tokens of some vocabularies are, stays bytes. */
export type GgufText = string | Uint8Array;

type NumberType = "u8" | "i8" | "u16" | "i16" | "u32" | "i32" | "f32" | "f64";

/** A value of the metadata, with the type that it has in the file. */
export type GgufValue =
  | { readonly type: NumberType; readonly value: number }
  | { readonly type: "u64" | "i64"; readonly value: bigint }
  | { readonly type: "bool"; readonly value: boolean }
  | { readonly type: "string"; readonly value: GgufText }
  | { readonly type: "array"; readonly items: NumberType; readonly value: ArrayLike<number> }
  | { readonly type: "array"; readonly items: "u64" | "i64"; readonly value: ArrayLike<bigint> }
  | { readonly type: "array"; readonly items: "bool"; readonly value: readonly boolean[] }
  | { readonly type: "array"; readonly items: "string"; readonly value: readonly GgufText[] };

/** The metadata of a file, in its order. */
export type GgufMetadata = ReadonlyMap<string, GgufValue>;

/** The array that holds several numbers of a type, as they lie in a file. */
export interface GgufNumberArrays {
  u8: Uint8Array;
  i8: Int8Array;
  u16: Uint16Array;
  i16: Int16Array;
  u32: Uint32Array;
  i32: Int32Array;
  f32: Float32Array;
  f64: Float64Array;
  u64: BigUint64Array;
  i64: BigInt64Array;
}

/** A type of numbers. */
export type GgufNumberType = keyof GgufNumberArrays;

type Constructors = {
  readonly [T in GgufNumberType]: { readonly BYTES_PER_ELEMENT: number; new (buffer: ArrayBuffer): GgufNumberArrays[T] };
};

export const NUMBER_ARRAYS: Constructors = {
  u8: Uint8Array,
  i8: Int8Array,
  u16: Uint16Array,
  i16: Int16Array,
  u32: Uint32Array,
  i32: Int32Array,
  f32: Float32Array,
  f64: Float64Array,
  u64: BigUint64Array,
  i64: BigInt64Array,
};
