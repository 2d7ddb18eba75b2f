import type { LocatedTensor, WeightSource } from "@weft/io-safetensors";
import { sizeOf, type WeftError } from "@weft/tensor-core";
import type { RowSource } from "./row-source.js";

/** A tensor that a base has a quantised weight in, or a part of it. */
export interface BasePart {
  readonly located: LocatedTensor;
  /** Its name behind the module's path. */
  readonly key: string;
  /** What a new weight in this format has in its place; undefined for what stays as it is, whatever the values are. */
  readonly written?: { readonly shape: readonly number[]; readonly part?: string | undefined } | undefined;
}

/** A quantised weight as values. */
export interface PackedValues {
  readonly source: RowSource;
  /** What the format is called. */
  readonly format: string;
  readonly parts: readonly BasePart[];
  /** Why its format is not written, where it is only read. */
  readonly unwritable?: string | undefined;
}

/** A base whose quantised weights are tensors of f32 values, each under the name that it would have unquantised. */
export interface ValueBase {
  readonly weights: WeightSource;
  /** By the file that `weights` says they lie in: none on a disk. */
  readonly values: ReadonlyMap<string, RowSource>;
  /** By name. */
  readonly packed: ReadonlyMap<string, PackedValues>;
  /** Why the other quantised weights are not read, by path of the module. */
  readonly unread: ReadonlyMap<string, WeftError>;
}

/** The file that values are read from as if they lay in it: ends in the name of the one that they go into, in a folder of safetensors. */
export const valuesFile = (name: string, { at }: RowSource): string =>
  `values of ${name}/${at.file.endsWith(".safetensors") ? at.file : "model.safetensors"}`;

/**
 * A base as one of values.
 * @param packed its quantised weights, by the names that they would have unquantised
 * @param read values of rows, row-major
 */
export function valueBase(
  weights: WeightSource,
  packed: ReadonlyMap<string, PackedValues>,
  unread: ReadonlyMap<string, WeftError>,
  read: (source: RowSource, start: number, stop: number) => Promise<Float32Array>,
): ValueBase {
  const hidden = new Set([...packed.values()].flatMap(({ parts }) => parts.map(({ located }) => located.name)));
  const names = [...[...weights.names()].filter((name) => !hidden.has(name)), ...packed.keys()];
  const known = new Set(names);
  const values = new Map([...packed].map(([name, { source }]) => [valuesFile(name, source), source]));
  const info = (name: string): LocatedTensor => {
    const source = packed.get(name)?.source;
    if (!source) return weights.info(name);
    const { shape } = source;
    return { name, dtype: "F32", shape, bytes: 4 * sizeOf(shape), offset: 0, file: valuesFile(name, source) };
  };
  const view: WeightSource = {
    location: weights.location,
    metadata: weights.metadata,
    warnings: weights.warnings,
    names: () => names,
    has: (name) => known.has(name),
    info,
    async read(name, rows) {
      const source = packed.get(name)?.source;
      if (!source) return weights.read(name, rows);
      const [start, stop] = rows ?? [0, source.shape[0] ?? 1];
      const { buffer, byteOffset, byteLength } = await read(source, start, stop);
      return { dtype: "F32", shape: [stop - start, ...source.shape.slice(1)], data: new Uint8Array(buffer, byteOffset, byteLength) };
    },
    close: () => weights.close(),
  };
  return { weights: view, values, packed, unread };
}
