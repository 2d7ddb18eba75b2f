import { openFileBytes } from "@weft/io-safetensors/node";
import type { Stored } from "../plan/item.js";

/** Bytes that are compared at a time. */
const CHUNK = 4 << 20;

/** True if two tensors have the same dtype, shape and bytes; different ones are mostly told apart by the first chunk. */
export async function sameData(a: Stored, b: Stored): Promise<boolean> {
  if (a.dtype !== b.dtype || a.shape.join() !== b.shape.join()) return false;
  if (a.values || b.values) return a.values === b.values;
  if (a.file === b.file && a.offset === b.offset) return true;
  const [left, right] = [openFileBytes(a.file), openFileBytes(b.file)];
  try {
    const [x, y] = [Buffer.alloc(Math.min(CHUNK, a.bytes)), Buffer.alloc(Math.min(CHUNK, a.bytes))];
    for (let at = 0; at < a.bytes; at += CHUNK) {
      const size = Math.min(CHUNK, a.bytes - at);
      left.readInto(x.subarray(0, size), a.offset + at);
      right.readInto(y.subarray(0, size), b.offset + at);
      if (!x.subarray(0, size).equals(y.subarray(0, size))) return false;
    }
    return true;
  } finally {
    await Promise.all([left.close(), right.close()]);
  }
}
