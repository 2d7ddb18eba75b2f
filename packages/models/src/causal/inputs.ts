import { add, broadcastTo, cast, concat, gather, iota, mul, reshape, ShapeError, type Tensor } from "@weft/tensor-core";

/** Keys and values of one layer for positions before the input: [batch or 1, key-value heads, past, head dim]; keys as attention uses them, after rotary embedding. */
export type KeyValues = {
  readonly key: Tensor;
  readonly value: Tensor;
};

/** What one layer keeps between passes: keys and values of an attention, the state of a recurrence. */
export type LayerCache = { readonly [name: string]: Tensor };

/** Inputs of a pass over whole sequences. */
export interface CausalInputs {
  /** Token ids, i32 [batch, length]. */
  readonly inputIds: Tensor;
  /** 1 where a token counts, 0 where it is padding (either side); i32 [batch, all], where `all` counts virtual tokens and past positions too, or [batch, capacity] of the cache. */
  readonly attentionMask?: Tensor | undefined;
  /**
   * Documents that were packed into one row, i32 [batch, length]: neighbours with one number are one, and none sees another; positions begin anew at each
   * unless `positionIds` says otherwise. Of whole sequences only, without cache, past or virtual tokens.
   */
  readonly segmentIds?: Tensor | undefined;
  /** Positions, i32 [batch or 1, virtual + length]; past (or `position`), past + 1 … if not given, also under left padding, as transformers' forward does. */
  readonly positionIds?: Tensor | undefined;
  /** Largest position + 1, for the rope types that depend on it; `all` if not given, and with a cache what is filled after the pass. */
  readonly positions?: number | undefined;
  /** Embeddings in front of those of the tokens (prompt tuning): [batch or 1, virtual, hidden]. Results cover them too. */
  readonly virtualTokens?: Tensor | undefined;
  /** Keys and values in front, one entry per layer (prefix tuning). Results do not cover them. */
  readonly pastKeyValues?: readonly KeyValues[] | undefined;
  /**
   * What the passes before left, from `model.emptyCache`: keys and values of the positions so far, with room for those of the input, or the states of
   * recurrences. The result has it again with the input's, and donated it is written where it lies. `pastKeyValues` go to the front of it, once, at the first pass.
   */
  readonly cache?: readonly LayerCache[] | undefined;
  /**
   * Of a cache of keys and values: which position of it the input begins at, i32 [] or one for each row, [batch]: as many are filled. It is data, so that one plan serves
   * all positions. The input must fit behind it: nothing can check that, as the number is not known when the plan is made.
   */
  readonly position?: Tensor | undefined;
  /**
   * The one token of each row, counted in `inputIds`, whose logits are wanted, i32 [batch]: they are then [batch, 1, vocabulary], and no others are computed. Those of
   * all if not given. (transformers' `logits_to_keep`.)
   */
  readonly logitsToKeep?: Tensor | undefined;
}

/** The embeddings that the blocks see: virtual tokens, then tokens [batch, length, hidden]. */
export function withVirtualTokens(embedded: Tensor, virtualTokens: Tensor | undefined): Tensor {
  if (!virtualTokens) return embedded;
  const [batch, , hidden] = embedded.shape as [number, number, number];
  const [rows, count, width] = virtualTokens.shape as [number, number, number];
  if (virtualTokens.shape.length !== 3 || width !== hidden || (rows !== 1 && rows !== batch))
    throw new ShapeError(`forward: virtualTokens is [${virtualTokens.shape}], expected [${batch} or 1, any, ${hidden}]`);
  return concat([broadcastTo(cast(virtualTokens, embedded.dtype), [batch, count, hidden]), embedded], 1);
}

/** Keys or values of the past that fit to those of the input. @throws ShapeError */
export function pastLike(past: Tensor, own: Tensor): Tensor {
  const [batch, heads, , width] = own.shape as [number, number, number, number];
  const fits = past.shape.length === 4 && (past.shape[0] === 1 || past.shape[0] === batch);
  if (!fits || past.shape[1] !== heads || past.shape[3] !== width)
    throw new ShapeError(`forward: keys or values of the past are [${past.shape}], expected [${batch} or 1, ${heads}, past, ${width}]`);
  return past;
}

/** Keys or values [batch, heads, past + length, head dim] of a layer. */
export function withPast(past: Tensor | undefined, own: Tensor): Tensor {
  if (!past) return own;
  const [batch, heads, , width] = own.shape as [number, number, number, number];
  return concat([broadcastTo(cast(pastLike(past, own), own.dtype), [batch, heads, past.shape[2]!, width]), own], 2);
}

/** Positions of `length` embeddings behind `past` others, [1, length]; [batch, length] where `past` is [batch]. */
export function defaultPositions(length: number, past: number | Tensor): Tensor {
  return add(iota([1, length], 1), typeof past === "number" ? past : reshape(past, [-1, 1]));
}

/** Hidden states [batch, length, hidden] of which logits are wanted: all, or one of each row. @throws ShapeError */
export function keptStates(hidden: Tensor, { inputIds, logitsToKeep }: CausalInputs): Tensor {
  if (!logitsToKeep) return hidden;
  const [batch, length, width] = hidden.shape as [number, number, number];
  if (logitsToKeep.shape.join() !== `${batch}`)
    throw new ShapeError(`forward: logitsToKeep is [${logitsToKeep.shape}], expected one for each row, [${batch}]`);
  // Virtual tokens stand in front of those that are counted.
  const before = length - inputIds.shape[1]!;
  const rows = add(add(cast(logitsToKeep, "i32"), before), mul(iota([batch], 0), length));
  return reshape(gather(reshape(hidden, [batch * length, width]), rows), [batch, 1, width]);
}
