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
  /**
   * Layers with a window keep the window and so many positions more, by which a sequence may go back, or may have been filled up; 0 if not given. Layers without one
   * keep all.
   */
  readonly rewind?: number;
}

/** What a cache of keys and values depends on. */
export interface KeyValueSizes {
  readonly layers: number;
  readonly keyValueHeads: number;
  readonly headDim: number;
  /** Per layer: how far back keys are seen; undefined: all of them. Without it all layers see all. */
  readonly windows?: readonly (number | undefined)[];
}

/** A cache with nothing in it: keys and values of each layer, [batch, key-value heads, positions, head dim]: `capacity` of them, or as many as a window needs. */
export function emptyCache(
  { layers, keyValueHeads, headDim, windows }: KeyValueSizes,
  dtype: DType,
  { batch = 1, capacity, rewind = 0 }: CacheOptions,
): KeyValues[] {
  return Array.from({ length: layers }, (_, i) => {
    const positions = Math.min(capacity, (windows?.[i] ?? Infinity) + rewind);
    const room = (): Tensor => zeros([batch, keyValueHeads, positions, headDim], dtype);
    return { key: room(), value: room() };
  });
}

/** Whether a layer's keys and values lie in a ring: with fewer places than its window they are all there, in order. */
const isRing = ({ key }: KeyValues, window: number | undefined): boolean => window !== undefined && key.shape[2]! >= window;

/** A cache with the position of a pass. */
export interface Room {
  readonly cache: readonly KeyValues[];
  /** Per layer, whether it is a ring. */
  readonly rings: readonly boolean[];
  readonly position: Tensor;
  /** Of the layers that hold all positions; undefined where none does. */
  readonly capacity: number | undefined;
}

/**
 * The cache and position of a pass, checked; undefined if it has none.
 * @param own shape of the keys that the pass adds to each layer, [batch, heads, length, head dim]
 * @throws ConfigError for one without the other, ShapeError for what does not fit
 */
export function roomOf(
  { cache, position }: { readonly cache?: readonly LayerCache[] | undefined; readonly position?: Tensor | undefined },
  { layers, windows }: Pick<KeyValueSizes, "layers" | "windows">,
  own: readonly [number, number, number, number],
): Room | undefined {
  if (!cache && !position) return undefined;
  if (!cache || !position)
    throw new ConfigError(`forward: ${cache ? "cache is given without position" : "position is given without cache"}`, {
      hint: "position says how many positions of the cache are filled, 0 at first",
    });
  if (cache.length !== layers) throw new ShapeError(`forward: cache has ${cache.length} layers, the model has ${layers}`);
  const [batch, heads, length, width] = own;
  if (position.shape.length > 1 || (position.size !== 1 && position.size !== batch))
    throw new ShapeError(`forward: position is [${position.shape}], expected one number, or one for each row, [${batch}]`);
  const keyValues = cache as readonly KeyValues[];
  const rings = keyValues.map((layer, i) => layer.key !== undefined && isRing(layer, windows?.[i]));
  const inOrder = keyValues[rings.indexOf(false)];
  const capacity = inOrder?.key?.shape[2];
  for (const [i, { key, value }] of keyValues.entries())
    for (const t of [key, value]) {
      const positions = rings[i] ? key.shape[2] : capacity;
      if (t?.shape.join() !== `${batch},${heads},${positions},${width}`)
        throw new ShapeError(`forward: keys or values of the cache are [${t?.shape}], expected [${batch}, ${heads}, capacity, ${width}]`);
    }
  if (capacity !== undefined && length > capacity)
    throw new ShapeError(`forward: the cache has room for ${capacity} positions, the input has ${length}`);
  return { cache: keyValues, rings, position, capacity };
}

/**
 * Where a pass writes into the keys or values of a layer: one start for all rows, or one for each of several.
 * @param position i32 [] or [batch]
 */
export function startsOf(position: Tensor): readonly Tensor[] {
  if (position.size === 1) return [position];
  return Array.from({ length: position.size }, (_, row) =>
    concat([tensor(Int32Array.of(row), { shape: [1] }), slice(position, [[row, row + 1]])]),
  );
}

/**
 * Keys or values of a layer with those of a pass in their place, and those of the past, if there are any, in front.
 * @param starts of the pass, by {@link startsOf}
 */
export function withOwn(cache: Tensor, past: Tensor | undefined, own: Tensor, starts: readonly Tensor[]): Tensor {
  const [batch, heads, , width] = cache.shape as [number, number, number, number];
  const before = past && broadcastTo(cast(pastLike(past, own), cache.dtype), [batch, heads, past.shape[2]!, width]);
  return written(before ? update(cache, before, zeros([], "i32"), [2]) : cache, own, starts);
}

/** Keys or values of a layer with those of a pass in the places that begin at `starts`. */
export function written(cache: Tensor, own: Tensor, starts: readonly Tensor[]): Tensor {
  const value = cast(own, cache.dtype);
  if (starts.length === 1) return update(cache, value, starts[0]!, [2]);
  return starts.reduce((filled, start, row) => update(filled, slice(value, [[row, row + 1]]), start, [0, 2]), cache);
}
