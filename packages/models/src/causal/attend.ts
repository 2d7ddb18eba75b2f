import {
  add,
  attention,
  broadcastTo,
  cast,
  concat,
  iota,
  logicalNot,
  logicalOr,
  max,
  reshape,
  ShapeError,
  sub,
  type Tensor,
  where,
} from "@weft/tensor-core";
import type { ModelOptions } from "../model.js";
import { segmentsOf } from "../segments.js";
import { type KeyValueSizes, roomOf, startsOf, withOwn } from "./cache.js";
import { cappedAttention } from "./capped-attention.js";
import { type CausalInputs, defaultPositions, type KeyValues, withPast } from "./inputs.js";
import { causalMask, type MaskOptions } from "./mask.js";
import { intoRing, positionsInRing } from "./ring.js";

/** What the attentions of one pass share. */
export interface AttentionPass {
  /** How many positions stand before the input: a number, or with a cache i32 [], or [batch] where rows differ. */
  readonly before: number | Tensor;
  /** How many are filled after the pass, as `before`; only with a cache. */
  readonly after: Tensor | undefined;
  /** Of the input, i32 [batch or 1, length]: `positionIds` if given. */
  readonly positions: Tensor;
  /** Layers of the cache after the pass, put down as they are computed. */
  readonly filled: KeyValues[];
  /**
   * Mixed values [B, H, T, d] of layer `i`.
   * @param q queries [B, H, T, d], rotated
   * @param key, value of the input, [B, G, T, d]
   */
  attend(i: number, q: Tensor, key: Tensor, value: Tensor, options?: LayerAttention): Tensor;
}

/** How one layer attends. */
export interface LayerAttention {
  /** How far back keys are seen; all of them if not given. */
  readonly window?: number | undefined;
  /** Of scores; 1/√d if not given. */
  readonly scale?: number | undefined;
  /** Scores are softly capped at it. */
  readonly cap?: number | undefined;
}

/** What the queries of a layer look at, and what the layer keeps. */
interface Seen {
  readonly keys: KeyValues;
  readonly filled: KeyValues;
  /** At which positions the keys are, where they are not in order. */
  readonly positions?: Tensor;
}

/**
 * Begins a pass over `embedded` [B, T, hidden], of a model whose attentions look back.
 * @throws ShapeError, ConfigError for a cache or a past that does not fit
 */
export function beginAttention(
  inputs: Omit<CausalInputs, "inputIds">,
  embedded: Tensor,
  sizes: KeyValueSizes,
  options: ModelOptions,
): AttentionPass {
  const { attentionMask, pastKeyValues } = inputs;
  const [batch, length] = embedded.shape as [number, number];
  if (pastKeyValues && pastKeyValues.length !== sizes.layers)
    throw new ShapeError(`forward: pastKeyValues has ${pastKeyValues.length} layers, the model has ${sizes.layers}`);
  const segments = segmentsOf(inputs, batch, length);
  const room = roomOf(inputs, sizes, [batch, sizes.keyValueHeads, length, sizes.headDim]);
  const position = room && cast(room.position, "i32");
  const starts = position ? startsOf(position) : [];
  const before = position ? reshape(position, position.size === 1 ? [] : [batch]) : (pastKeyValues?.[0]?.key.shape[2] ?? 0);
  const after = room && add(before, length);
  const lengths = after && broadcastTo(after, [batch]);
  const filled: KeyValues[] = [];
  const masks = new Map<string, Tensor | undefined>();
  const maskFor = (key: string, more: Partial<MaskOptions>): Tensor | undefined => {
    if (!masks.has(key))
      masks.set(key, causalMask({ batch, length, past: before, keys: room?.capacity, attentionMask, segments, ...more }));
    return masks.get(key);
  };
  /** Keys and values in order, all that are filled and room for others. */
  const inOrder = (i: number, own: KeyValues): Seen => {
    const past = pastKeyValues?.[i];
    const all = (name: keyof KeyValues): Tensor =>
      room ? withOwn(room.cache[i]![name], past?.[name], own[name], starts) : withPast(past?.[name], own[name]);
    const keys = { key: all("key"), value: all("value") };
    return { keys, filled: keys };
  };
  /** Keys and values in a ring: of a token alone the window is what the ring is with it; several see what it was, and each other. */
  const inRing = (ring: KeyValues, past: KeyValues | undefined, own: KeyValues): Seen => {
    const fresh = { key: withPast(past?.key, own.key), value: withPast(past?.value, own.value) };
    const [size, count] = [ring.key.shape[2]!, fresh.key.shape[2]!];
    const start = sub(before, count - length);
    const kept = { key: intoRing(ring.key, fresh.key, start), value: intoRing(ring.value, fresh.value, start) };
    if (count === 1) return { keys: kept, filled: kept, positions: positionsInRing(size, after!) };
    const both = (name: keyof KeyValues): Tensor => concat([ring[name], cast(fresh[name], ring[name].dtype)], 2);
    const held = positionsInRing(size, start);
    const added = add(iota([1, count], 1), reshape(start, [-1, 1]));
    return { keys: { key: both("key"), value: both("value") }, filled: kept, positions: concat([held, added], 1) };
  };
  return {
    before,
    after,
    positions: inputs.positionIds ?? segments?.positions ?? defaultPositions(length, before),
    filled,
    attend(i, q, key, value, { window, scale, cap } = {}) {
      const own = { key, value };
      const seen = room?.rings[i] ? inRing(room.cache[i]!, pastKeyValues?.[i], own) : inOrder(i, own);
      filled[i] = seen.filled;
      const { positions, keys } = seen;
      let mask = maskFor(`${window} ${positions?.shape}`, { window, positions, always: cap !== undefined });
      let queries = q;
      if (mask && options.attention === "eager") {
        const sees = cast(max(cast(mask, "i32"), { axes: [3], keepDims: true }), "bool");
        mask = logicalOr(mask, logicalNot(sees));
        queries = where(sees, q, 0);
      }
      if (cap !== undefined) return cappedAttention(queries, keys.key, keys.value, mask!, scale ?? 1 / Math.sqrt(q.shape[3]!), cap);
      return attention(queries, keys.key, keys.value, {
        ...(mask ? { mask } : { causal: true }),
        ...(lengths && !positions && { lengths }),
        ...(scale !== undefined && { scale }),
      });
    },
  };
}

/** The cache after a pass: a hook may have taken the place of a whole attention, then its layer is as it was. */
export function cacheAfter({ cache }: CausalInputs, { filled }: Pick<AttentionPass, "filled">): { readonly cache?: readonly KeyValues[] } {
  return cache ? { cache: cache.map((layer, i) => filled[i] ?? (layer as KeyValues)) } : {};
}
