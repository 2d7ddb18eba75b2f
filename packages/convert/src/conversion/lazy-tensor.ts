import { CapabilityError, decode, encode } from "@weft/tensor-core";
import { bitsPerElement, type SafetensorsDType, toCoreDType, type WeightSource } from "@weft/io-safetensors";
import type { AdapterTensor } from "@weft/adapter-files";

/** A tensor of an output file whose data is read or computed when it is written. */
export interface LazyTensor {
  readonly dtype: SafetensorsDType;
  readonly shape: readonly number[];
  read(): Promise<Uint8Array>;
}

/** A tensor of an adapter's file, as its method wants it. */
export function lazyTensor(weights: WeightSource, { name, rows, shape, transposed }: AdapterTensor): LazyTensor {
  const { dtype } = weights.info(name);
  const stored: LazyTensor = {
    dtype,
    shape: transposed ? shape.toReversed() : shape,
    read: async () => (await weights.read(name, rows)).data,
  };
  return transposed ? transpose(stored) : stored;
}

/** The same elements under another shape. */
export const reshaped = (t: LazyTensor, shape: readonly number[]): LazyTensor => ({ ...t, shape });

const bytesOf = (t: LazyTensor): number => {
  const bits = bitsPerElement(t.dtype);
  if (bits % 8 !== 0) throw new CapabilityError(`${t.dtype} tensors are not converted`, { kind: "unsupported-dtype" });
  return bits / 8;
};

/** Some rows of the first axis. */
export function rowsOf(t: LazyTensor, [start, stop]: readonly [number, number]): LazyTensor {
  const row = t.shape.slice(1).reduce((a, b) => a * b, 1) * bytesOf(t);
  return {
    dtype: t.dtype,
    shape: [stop - start, ...t.shape.slice(1)],
    read: async () => (await t.read()).subarray(start * row, stop * row),
  };
}

/** A matrix [n, m] as [m, n]. */
export function transpose(t: LazyTensor): LazyTensor {
  const [rows, columns] = t.shape as [number, number];
  const size = bytesOf(t);
  return {
    dtype: t.dtype,
    shape: [columns, rows],
    async read() {
      const from = await t.read();
      const to = new Uint8Array(from.byteLength);
      for (let i = 0; i < rows; i++)
        for (let j = 0; j < columns; j++)
          for (let b = 0; b < size; b++) to[(j * rows + i) * size + b] = from[(i * columns + j) * size + b]!;
      return to;
    },
  };
}

/** The tensors one below the other. @param parts of one dtype and one shape behind the first axis */
export function stacked(parts: readonly LazyTensor[]): LazyTensor {
  const [first] = parts as [LazyTensor];
  return {
    dtype: first.dtype,
    shape: [parts.reduce((sum, { shape }) => sum + shape[0]!, 0), ...first.shape.slice(1)],
    async read() {
      const pieces = await Promise.all(parts.map((part) => part.read()));
      const all = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.byteLength, 0));
      let at = 0;
      for (const piece of pieces) {
        all.set(piece, at);
        at += piece.byteLength;
      }
      return all;
    },
  };
}

/** The values as numbers. @throws CapabilityError for dtypes that are not computed with */
export async function valuesOf(t: LazyTensor): Promise<ArrayLike<number>> {
  const core = toCoreDType(t.dtype);
  if (!core) throw new CapabilityError(`${t.dtype} tensors are not computed with`, { kind: "unsupported-dtype" });
  return decode(await t.read(), core);
}

/** A tensor that is computed. */
export function computed(dtype: "F32" | "F16" | "BF16", shape: readonly number[], values: () => Promise<ArrayLike<number>>): LazyTensor {
  const core = toCoreDType(dtype)!;
  return { dtype, shape, read: async () => encode(Float32Array.from(await values()), core) };
}

/** One number, as trainers write alpha: f32 without axes. */
export const scalarTensor = (value: number): LazyTensor => computed("F32", [], () => Promise.resolve([value]));

/** One integer, as LyCORIS writes flags. */
export const integerTensor = (value: number): LazyTensor => ({
  dtype: "I64",
  shape: [],
  read: () => Promise.resolve(new Uint8Array(BigInt64Array.of(BigInt(value)).buffer)),
});

/** The tensor times a number, in its own dtype. */
export function scaled(t: LazyTensor, factor: number): LazyTensor {
  if (factor === 1) return t;
  const dtype = t.dtype === "F16" || t.dtype === "BF16" ? t.dtype : "F32";
  return computed(dtype, t.shape, async () => Float32Array.from(await valuesOf(t), (x) => x * factor));
}
