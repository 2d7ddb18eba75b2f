import { CapabilityError, FormatError } from "@weft/tensor-core";
import type { RowRange, WeightSource } from "@weft/io-safetensors";
import { TILE_BYTES } from "../files/file-set.js";
import { valuesOf } from "../files/values.js";

/** tuned - base of one tensor, in f32, read in tiles of rows. @throws FormatError kind `non-finite` with the first such place */
export async function readChange(base: WeightSource, tuned: WeightSource, name: string, signal?: AbortSignal): Promise<Float32Array> {
  const { shape, bytes } = tuned.info(name);
  const rows = shape[0]!;
  const width = shape.slice(1).reduce((a, b) => a * b, 1);
  const change = new Float32Array(rows * width);
  const step = Math.max(1, Math.floor(TILE_BYTES / Math.max(1, bytes / rows)));
  for (let start = 0; start < rows; start += step) {
    signal?.throwIfAborted();
    const range: RowRange = [start, Math.min(rows, start + step)];
    const [before, after] = [await values(base, name, range), await values(tuned, name, range)];
    const at = start * width;
    for (let i = 0; i < after.length; i++) {
      const d = after[i]! - before[i]!;
      if (d - d !== 0) throw nonFinite(Number.isFinite(after[i]) ? base : tuned, name, at + i);
      change[at + i] = d;
    }
  }
  return change;
}

/** Whether a tensor that both have in one shape holds other values. */
export async function differs(base: WeightSource, tuned: WeightSource, name: string): Promise<boolean> {
  const { shape, dtype, bytes } = tuned.info(name);
  if (base.info(name).dtype !== dtype) return true;
  const rows = shape[0] ?? 0;
  const step = Math.max(1, Math.floor(TILE_BYTES / Math.max(1, bytes / Math.max(1, rows))));
  for (let start = 0; start < Math.max(1, rows); start += step) {
    const range: RowRange | undefined = shape.length === 0 ? undefined : [start, Math.min(rows, start + step)];
    const [a, b] = [(await base.read(name, range)).data, (await tuned.read(name, range)).data];
    if (!Buffer.from(a.buffer, a.byteOffset, a.byteLength).equals(b)) return true;
  }
  return false;
}

async function values(source: WeightSource, name: string, range: RowRange): Promise<ArrayLike<number>> {
  const { data, dtype } = await source.read(name, range);
  const found = valuesOf(data, dtype);
  if (!found) throw new CapabilityError(`${name}: ${dtype} tensors are not computed with`, { kind: "unsupported-dtype", tensor: name });
  return found;
}

const nonFinite = (source: WeightSource, name: string, index: number): FormatError =>
  new FormatError(`${name}: element ${index} is not finite, so there is no SVD of its change`, {
    kind: "non-finite",
    file: source.info(name).file,
    tensor: name,
    hint: "weft inspect --stats lists the tensors that hold such values",
  });
