import { bitsPerElement, type LocatedTensor } from "@weft/io-safetensors";
import type { ByteReader } from "../source/byte-reader.js";
import { TILE_BYTES } from "./file-set.js";
import { valuesOf } from "../source/values.js";

/** How the values of two tensors of one shape differ. */
export interface TensorDifference {
  /** Values that differ by more than the tolerance (bytes, where a dtype has no values here). */
  readonly count: number;
  readonly maxAbs: number;
  /** Largest |a - b| / max(|a|, |b|). */
  readonly maxRel: number;
  /** Position of the first difference in the flattened tensor. */
  readonly first: number;
}

/**
 * Compares two tensors in tiles. Equal bytes are equal; otherwise two NaNs are equal, a NaN and a number are not, and 0 equals -0 only
 * with a tolerance.
 * @param files read the one and the other
 * @returns undefined if nothing differs by more than `atol`
 */
export async function compareTensors(
  files: readonly [a: ByteReader, b: ByteReader],
  a: LocatedTensor,
  b: LocatedTensor,
  atol: number,
  signal: AbortSignal,
): Promise<TensorDifference | undefined> {
  const [bitsA, bitsB] = [bitsPerElement(a.dtype), bitsPerElement(b.dtype)];
  // A multiple of every element size, in whole elements of both.
  const elements = Math.floor((TILE_BYTES * 8) / Math.max(bitsA, bitsB) / 8) * 8;
  const total = Math.round((a.bytes * 8) / bitsA);
  const bufferA = Buffer.alloc(Math.min(a.bytes, (elements * bitsA) / 8));
  const bufferB = Buffer.alloc(Math.min(b.bytes, (elements * bitsB) / 8));
  let found = { count: 0, maxAbs: 0, maxRel: 0, first: -1 };
  for (let at = 0; at < total; at += elements) {
    signal.throwIfAborted();
    const n = Math.min(elements, total - at);
    const [x, y] = [bufferA.subarray(0, (n * bitsA) / 8), bufferB.subarray(0, (n * bitsB) / 8)];
    await files[0].readInto(a.file, x, a.offset + (at * bitsA) / 8);
    await files[1].readInto(b.file, y, b.offset + (at * bitsB) / 8);
    if (a.dtype === b.dtype && x.equals(y)) continue;
    found = merge(found, compareTile(x, y, a, b, atol), at);
  }
  return found.count > 0 ? found : undefined;
}

function merge(sum: TensorDifference, tile: TensorDifference, at: number): TensorDifference {
  const first = sum.first >= 0 || tile.first < 0 ? sum.first : tile.first + at;
  return { count: sum.count + tile.count, maxAbs: Math.max(sum.maxAbs, tile.maxAbs), maxRel: Math.max(sum.maxRel, tile.maxRel), first };
}

function compareTile(x: Uint8Array, y: Uint8Array, a: LocatedTensor, b: LocatedTensor, atol: number): TensorDifference {
  const [p, q] = [valuesOf(x, a.dtype) ?? x, valuesOf(y, b.dtype) ?? y];
  let [count, maxAbs, maxRel, first] = [0, 0, 0, -1];
  for (let i = 0; i < p.length; i++) {
    const [u, v] = [p[i]!, q[i]!];
    if (u === v ? atol > 0 || Object.is(u, v) : Number.isNaN(u) && Number.isNaN(v)) continue;
    const error = Math.abs(u - v);
    if (error <= atol && (error > 0 || atol > 0)) continue;
    count++;
    if (first < 0) first = i;
    // A NaN or an infinity against a number is as far as can be.
    const abs = Number.isNaN(error) ? Infinity : error;
    maxAbs = Math.max(maxAbs, abs);
    const size = Math.max(Math.abs(u), Math.abs(v));
    maxRel = Math.max(maxRel, abs === Infinity ? Infinity : size > 0 ? abs / size : 0);
  }
  return { count, maxAbs, maxRel, first };
}
