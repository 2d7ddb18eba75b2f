import { createHash } from "node:crypto";
import type { LocatedTensor } from "@weft/io-safetensors";
import { type ByteReader, valuesOf } from "@weft/checkpoint";
import { readTiles, TILE_BYTES } from "@weft/checkpoint/node";

/** Numbers about a tensor's values. */
export interface ValueStats {
  readonly min: number | null;
  readonly max: number | null;
  /** √Σx². */
  readonly norm: number;
  /** Values that are NaN or infinite; they take no part in the rest. */
  readonly nonFinite: number;
}

/** Hash and statistics of one tensor, read in tiles. */
export async function tensorDetails(
  files: ByteReader,
  tensor: LocatedTensor,
  want: { readonly hash: boolean; readonly stats: boolean },
  signal: AbortSignal,
): Promise<{ sha256?: string; stats?: ValueStats }> {
  const hash = want.hash ? createHash("sha256") : undefined;
  const buffer = new Uint8Array(Math.min(TILE_BYTES, tensor.bytes));
  let [min, max, squares, nonFinite, known] = [Infinity, -Infinity, 0, 0, true];
  await readTiles(files, tensor, buffer, (piece) => {
    signal.throwIfAborted();
    hash?.update(piece);
    const values = want.stats ? valuesOf(piece, tensor.dtype) : undefined;
    known &&= values !== undefined;
    for (let i = 0; values && i < values.length; i++) {
      const x = values[i]!;
      if (!Number.isFinite(x)) {
        nonFinite++;
        continue;
      }
      if (x < min) min = x;
      if (x > max) max = x;
      squares += x * x;
    }
  });
  return {
    ...(hash && { sha256: hash.digest("hex") }),
    ...(want.stats &&
      known && { stats: { min: min > max ? null : min, max: min > max ? null : max, norm: Math.sqrt(squares), nonFinite } }),
  };
}
