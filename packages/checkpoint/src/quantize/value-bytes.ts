import type { TensorJob } from "../plan/tensor-job.js";
import { matrixOf, tileRows } from "./encode-job.js";
import type { RowSource } from "./row-source.js";

/** Bytes that a value of a tile takes at most while it is computed from codes, and codes from it. */
const PER_VALUE = 24;

/**
 * Bytes that a thread holds for values that are stored in another way: codes as they are read, as they are written and as they are compared, and tiles of values.
 * @param rank of the LoRA that what is lost becomes: then the whole loss is held
 */
export function valueBytes(
  { source, weight, stored }: TensorJob,
  values: ReadonlyMap<string, RowSource>,
  rank: number | undefined,
): number {
  const names = new Set([source.file, ...(weight ? [weight.file] : []), ...(stored ? [stored.like] : [])]);
  let bytes = 0;
  for (const name of names) {
    const read = values.get(name);
    if (!read) continue;
    const [rows, width] = matrixOf(read);
    const packed = Object.values(read.packed?.tensors ?? {}).reduce((sum, part) => sum + part.bytes, 0);
    const lost = stored && rank !== undefined ? 4 * rows * width + 32 * (rank + 10) * (rows + width) : 0;
    // Read whole, and written whole.
    const turned = read.turned ? (stored ? 3 : 1) * 4 * rows * width : 0;
    bytes += (stored ? 3 : 1) * packed + turned + PER_VALUE * tileRows([rows, width], 1) * width + lost;
  }
  return bytes;
}
