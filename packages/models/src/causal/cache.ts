import {
  broadcastTo,
  cast,
  concat,
  ConfigError,
  type DType,
  ShapeError,
  slice,
  type Tensor,
  tensor,
  update,
  zeros,
} from "@weft/tensor-core";
import { type KeyValues, type LayerCache, pastLike } from "./inputs.js";

/** How many sequences, and how many positions of each, a cache of keys and values holds. */
export interface CacheOptions {
  /** Sequences; 1 if not given. */
  readonly batch?: number;
  /** Positions that there is room for, virtual ones included. */
  readonly capacity: number;
}

/** What a cache of keys and values depends on. */
export interface KeyValueSizes {
  readonly layers: number;
  readonly keyValueHeads: number;
  readonly headDim: number;
}

/** A cache with nothing in it: keys and values of each layer, [batch, key-value heads, capacity, head dim]. */
export function emptyCache(
  { layers, keyValueHeads, headDim }: KeyValueSizes,
  dtype: DType,
  { batch = 1, capacity }: CacheOptions,
): KeyValues[] {
  const room = (): Tensor => zeros([batch, keyValueHeads, capacity, headDim], dtype);
  return Array.from({ length: layers }, () => ({ key: room(), value: room() }));
}

/**
 * The cache and position of a pass, checked; undefined if it has none.
 * @param own shape of the keys that the pass adds to each layer, [batch, heads, length, head dim]
 * @throws ConfigError for one without the other, ShapeError for what does not fit
 */
export function roomOf(
  { cache, position }: { readonly cache?: readonly LayerCache[] | undefined; readonly position?: Tensor | undefined },
  layers: number,
  own: readonly [number, number, number, number],
): { readonly cache: readonly KeyValues[]; readonly position: Tensor; readonly capacity: number } | undefined {
  if (!cache && !position) return undefined;
  if (!cache || !position)
    throw new ConfigError(`forward: ${cache ? "cache is given without position" : "position is given without cache"}`, {
      hint: "position says how many positions of the cache are filled, 0 at first",
    });
  if (cache.length !== layers) throw new ShapeError(`forward: cache has ${cache.length} layers, the model has ${layers}`);
  const [batch, heads, length, width] = own;
  if (position.shape.length > 1 || (position.size !== 1 && position.size !== batch))
    throw new ShapeError(`forward: position is [${position.shape}], expected one number, or one for each row, [${batch}]`);
  const capacity = cache[0]?.["key"]?.shape[2] ?? 0;
  const keyValues = cache as readonly KeyValues[];
  for (const { key, value } of keyValues)
    for (const t of [key, value])
      if (t?.shape.join() !== `${batch},${heads},${capacity},${width}`)
        throw new ShapeError(`forward: keys or values of the cache are [${t?.shape}], expected [${batch}, ${heads}, capacity, ${width}]`);
  if (length > capacity) throw new ShapeError(`forward: the cache has room for ${capacity} positions, the input has ${length}`);
  return { cache: keyValues, position, capacity };
}

/**
 * Where a pass writes into the keys or values of a layer: one start for all rows, or one for each of several.
 * @param position i32 [] or [batch]
 */
export function startsOf(position: Tensor): readonly Tensor[] {
  if (position.size === 1) return [position];
  const number = (row: number): Tensor => tensor(Int32Array.of(row), { shape: [1] });
  return Array.from({ length: position.size }, (_, row) => concat([number(row), slice(position, [[row, row + 1]])]));
}

/**
 * Keys or values of a layer with those of a pass in their place, and those of the past, if there are any, in front.
 * @param starts of the pass, by {@link startsOf}
 */
export function withOwn(cache: Tensor, past: Tensor | undefined, own: Tensor, starts: readonly Tensor[]): Tensor {
  const [batch, heads, , width] = cache.shape as [number, number, number, number];
  const before = past && broadcastTo(cast(pastLike(past, own), cache.dtype), [batch, heads, past.shape[2]!, width]);
  const base = before ? update(cache, before, zeros([], "i32"), [2]) : cache;
  const value = cast(own, cache.dtype);
  if (starts.length === 1) return update(base, value, starts[0]!, [2]);
  return starts.reduce((filled, start, row) => update(filled, slice(value, [[row, row + 1]]), start, [0, 2]), base);
}
