import { add, cast, iota, less, lessEqual, logicalAnd, reshape, ShapeError, type Tensor } from "@weft/tensor-core";
import { type Segments, withinSegments } from "../segments.js";

export interface MaskOptions {
  readonly batch: number;
  /** Queries. */
  readonly length: number;
  /** Keys before the first query's own, a number, i32 [] or i32 [batch]; 0 if not given. */
  readonly past?: number | Tensor;
  /** All keys, also those that are not there yet; past + length if not given. */
  readonly keys?: number | undefined;
  /** Keys further back than this are not seen. */
  readonly window?: number | undefined;
  /** 1 where a key counts, 0 where it is padding; [batch, keys]. */
  readonly attentionMask?: Tensor | undefined;
  /** Documents in the rows, which do not see each other. */
  readonly segments?: Segments | undefined;
  /** A mask also where plain causality is all. */
  readonly always?: boolean;
}

/**
 * Which keys a position sees, bool [batch or 1, 1, length, keys]: those up to itself, within the window and its document, that are no padding.
 * Undefined where plain causality is all. Padding on the left leaves rows that see nothing.
 * @see transformers `masking_utils.py`
 */
export function causalMask({
  batch,
  length,
  past = 0,
  keys = (past as number) + length,
  window,
  attentionMask,
  segments,
  always = false,
}: MaskOptions): Tensor | undefined {
  if (attentionMask && attentionMask.shape.join() !== `${batch},${keys}`)
    throw new ShapeError(`forward: attentionMask is [${attentionMask.shape}], expected [${batch},${keys}]`, {
      hint: "it covers virtual tokens and past positions as well as the input",
    });
  if (!always && !attentionMask && !segments && (window === undefined || window >= keys)) return undefined;
  const space = [1, 1, length, keys];
  const before = typeof past === "number" ? past : reshape(past, [-1, 1, 1, 1]);
  const [row, column] = [add(iota(space, 2), before), iota(space, 3)];
  let visible = lessEqual(column, row);
  if (window !== undefined) visible = logicalAnd(visible, less(row, add(column, window)));
  if (segments) visible = logicalAnd(visible, withinSegments(segments));
  return attentionMask ? logicalAnd(visible, cast(reshape(attentionMask, [batch, 1, 1, keys]), "bool")) : visible;
}
