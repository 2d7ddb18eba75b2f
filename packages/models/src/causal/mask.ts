import { add, cast, gather, iota, less, lessEqual, logicalAnd, maximum, mul, reshape, ShapeError, type Tensor } from "@weft/tensor-core";
import { type Segments, withinSegments } from "../segments.js";

export interface MaskOptions {
  readonly batch: number;
  /** Queries. */
  readonly length: number;
  /** Keys before the first query's own, a number, i32 [] or i32 [batch]; 0 if not given. */
  readonly past?: number | Tensor;
  /** All keys, also those that are not there yet; past + length if not given. */
  readonly keys?: number | undefined;
  /** At which positions the keys are, where not at 0, 1, 2 …: i32 [batch or 1, any]; negative where there is none. */
  readonly positions?: Tensor | undefined;
  /** Keys further back than this are not seen. */
  readonly window?: number | undefined;
  /** 1 where a key counts, 0 where it is padding; [batch, keys]. */
  readonly attentionMask?: Tensor | undefined;
  /** Documents in the rows, which do not see each other. */
  readonly segments?: Segments | undefined;
  /** A mask also where plain causality is all. */
  readonly always?: boolean;
}

/** Which of the keys count: 1 and 0 at their positions, [batch or 1, keys] of a mask [batch, all]. */
function countAt(attentionMask: Tensor, positions: Tensor): Tensor {
  const [batch, all] = attentionMask.shape as [number, number];
  const keys = positions.shape[1]!;
  const places = add(maximum(positions, 0), mul(iota([batch, 1], 0), all));
  return reshape(gather(reshape(attentionMask, [batch * all]), reshape(places, [batch * keys])), [batch, keys]);
}

/**
 * Which keys a position sees, bool [batch or 1, 1, length, keys]: those up to itself, within the window and its document, that are no padding.
 * Undefined where plain causality is all. Padding on the left leaves rows that see nothing.
 * @see transformers `masking_utils.py`
 */
export function causalMask(options: MaskOptions): Tensor | undefined {
  const { batch, length, past = 0, positions, window, attentionMask, segments, always = false } = options;
  const all = options.keys ?? (typeof past === "number" ? past + length : undefined);
  if (attentionMask && (attentionMask.shape[0] !== batch || (all !== undefined && attentionMask.shape[1] !== all)))
    throw new ShapeError(`forward: attentionMask is [${attentionMask.shape}], expected [${batch},${all}]`, {
      hint: "it covers virtual tokens and past positions as well as the input",
    });
  if (!always && !attentionMask && !segments && !positions && (window === undefined || window >= all!)) return undefined;
  const keys = positions?.shape[1] ?? all!;
  const space = [1, 1, length, keys];
  const before = typeof past === "number" ? past : reshape(past, [-1, 1, 1, 1]);
  const row = add(iota(space, 2), before);
  const column = positions ? reshape(positions, [-1, 1, 1, keys]) : iota(space, 3);
  let visible = lessEqual(column, row);
  if (positions) visible = logicalAnd(visible, lessEqual(0, column));
  if (window !== undefined) visible = logicalAnd(visible, less(row, add(column, window)));
  if (segments) visible = logicalAnd(visible, withinSegments(segments));
  if (!attentionMask) return visible;
  const counts = positions ? countAt(attentionMask, positions) : attentionMask;
  return logicalAnd(visible, cast(reshape(counts, [batch, 1, 1, keys]), "bool"));
}
