import { decode } from "@weft/tensor-core";
import { type SafetensorsDType, toCoreDType } from "@weft/io-safetensors";

const WIDE: Partial<Record<SafetensorsDType, (bytes: Uint8Array) => ArrayLike<number>>> = {
  F64: (b) => new Float64Array(b.buffer, b.byteOffset, b.byteLength / 8),
  I64: (b) => Float64Array.from(new BigInt64Array(b.buffer, b.byteOffset, b.byteLength / 8), Number),
  U64: (b) => Float64Array.from(new BigUint64Array(b.buffer, b.byteOffset, b.byteLength / 8), Number),
  U32: (b) => new Uint32Array(b.buffer, b.byteOffset, b.byteLength / 4),
  I16: (b) => new Int16Array(b.buffer, b.byteOffset, b.byteLength / 2),
  U16: (b) => new Uint16Array(b.buffer, b.byteOffset, b.byteLength / 2),
};

/** TensorLocation bytes as numbers; undefined for dtypes that have no values here (F4, F8_E8M0, C64 …). `bytes` must be aligned to an element. */
export function valuesOf(bytes: Uint8Array, dtype: SafetensorsDType): ArrayLike<number> | undefined {
  if (dtype === "F32") return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  if (dtype === "BF16") {
    // By far the commonest: the upper half of an f32.
    const raw = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 2);
    const bits = new Uint32Array(raw.length);
    for (let i = 0; i < raw.length; i++) bits[i] = raw[i]! << 16;
    return new Float32Array(bits.buffer);
  }
  const core = toCoreDType(dtype);
  return core ? decode(bytes, core) : WIDE[dtype]?.(bytes);
}
