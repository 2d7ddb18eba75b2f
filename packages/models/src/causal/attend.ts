import { add, attention, broadcastTo, cast, logicalNot, logicalOr, max, reshape, ShapeError, type Tensor, where } from "@weft/tensor-core";
import type { ModelOptions } from "../model.js";
import { segmentsOf } from "../segments.js";
import { type KeyValueSizes, roomOf, startsOf, withOwn } from "./cache.js";
import { cappedAttention } from "./capped-attention.js";
import { type CausalInputs, defaultPositions, type KeyValues, withPast } from "./inputs.js";
import { causalMask } from "./mask.js";

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
  const room = roomOf(inputs, sizes.layers, [batch, sizes.keyValueHeads, length, sizes.headDim]);
  const position = room && cast(room.position, "i32");
  const starts = position ? startsOf(position) : [];
  const before = position ? reshape(position, position.size === 1 ? [] : [batch]) : (pastKeyValues?.[0]?.key.shape[2] ?? 0);
  const after = room && add(before, length);
  const lengths = after && broadcastTo(after, [batch]);
  const filled: KeyValues[] = [];
  const masks = new Map<number | undefined, Tensor | undefined>();
  const maskFor = (window: number | undefined, always: boolean): Tensor | undefined => {
    if (!masks.has(window))
      masks.set(window, causalMask({ batch, length, past: before, keys: room?.capacity, window, attentionMask, segments, always }));
    return masks.get(window);
  };
  return {
    before,
    after,
    positions: inputs.positionIds ?? segments?.positions ?? defaultPositions(length, before),
    filled,
    attend(i, q, ownKey, ownValue, { window, scale, cap } = {}) {
      let queries = q;
      let mask = maskFor(window, cap !== undefined);
      if (mask && options.attention === "eager") {
        const sees = cast(max(cast(mask, "i32"), { axes: [3], keepDims: true }), "bool");
        mask = logicalOr(mask, logicalNot(sees));
        queries = where(sees, q, 0);
      }
      const all = (name: keyof KeyValues, own: Tensor): Tensor =>
        room ? withOwn(room.cache[i]![name], pastKeyValues?.[i]?.[name], own, starts) : withPast(pastKeyValues?.[i]?.[name], own);
      const [key, value] = [all("key", ownKey), all("value", ownValue)];
      filled[i] = { key, value };
      if (cap !== undefined) return cappedAttention(queries, key, value, mask!, scale ?? 1 / Math.sqrt(q.shape[3]!), cap);
      return attention(queries, key, value, {
        ...(mask ? { mask } : { causal: true }),
        ...(lengths && { lengths }),
        ...(scale !== undefined && { scale }),
      });
    },
  };
}

/** The cache after a pass: a hook may have taken the place of a whole attention, then its layer is as it was. */
export function cacheAfter({ cache }: CausalInputs, { filled }: Pick<AttentionPass, "filled">): { readonly cache?: readonly KeyValues[] } {
  return cache ? { cache: cache.map((layer, i) => filled[i] ?? (layer as KeyValues)) } : {};
}
