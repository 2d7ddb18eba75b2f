/** The bytes of a typed array, not copied. */
export const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);

/** Bytes as numbers of another size; copied where they do not begin on one. */
const aligned = (bytes: Uint8Array, size: number): Uint8Array => (bytes.byteOffset % size === 0 ? bytes : bytes.slice());

/** Bytes as f32 (little-endian). */
export function asFloats(bytes: Uint8Array): Float32Array {
  const { buffer, byteOffset, byteLength } = aligned(bytes, 4);
  return new Float32Array(buffer as ArrayBuffer, byteOffset, byteLength / 4);
}

/** Bytes as i32 (little-endian). */
export function asInts(bytes: Uint8Array): Int32Array {
  const { buffer, byteOffset, byteLength } = aligned(bytes, 4);
  return new Int32Array(buffer as ArrayBuffer, byteOffset, byteLength / 4);
}
