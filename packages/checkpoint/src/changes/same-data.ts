import type { TensorLocation } from "../plan/tensor-job.js";
import type { ByteReader } from "../source/byte-reader.js";

/** Bytes that are compared at a time. */
const CHUNK = 4 << 20;

/** True if two tensors have the same dtype, shape and bytes; different ones are mostly told apart by the first chunk. */
export async function sameData(a: TensorLocation, b: TensorLocation, files: ByteReader): Promise<boolean> {
  if (a.dtype !== b.dtype || a.shape.join() !== b.shape.join()) return false;
  if (a.values || b.values) return a.values === b.values;
  if (a.file === b.file && a.offset === b.offset) return true;
  const [x, y] = [new Uint8Array(Math.min(CHUNK, a.bytes)), new Uint8Array(Math.min(CHUNK, a.bytes))];
  for (let at = 0; at < a.bytes; at += CHUNK) {
    const size = Math.min(CHUNK, a.bytes - at);
    const [left, right] = [x.subarray(0, size), y.subarray(0, size)];
    await files.readInto(a.file, left, a.offset + at);
    await files.readInto(b.file, right, b.offset + at);
    if (!sameBytes(left, right)) return false;
  }
  return true;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
