import { add, cast, iota, less, lessEqual, logicalAnd, reshape, type Tensor } from "@weft/tensor-core";

export interface MaskOptions {
  readonly batch: number;
  readonly length: number;
  /** Keys further back than this are not seen. */
  readonly window?: number | undefined;
  /** 1 where a token counts, 0 where it is padding; [batch, length]. */
  readonly attentionMask?: Tensor | undefined;
}

/**
 * Which keys a position sees, bool [batch or 1, 1, length, length]: those up to itself, within the window, that are no padding.
 * Undefined where plain causality is all. Padding on the left leaves rows that see nothing.
 * @see transformers `masking_utils.py`
 */
export function causalMask({ batch, length, window, attentionMask }: MaskOptions): Tensor | undefined {
  if (!attentionMask && (window === undefined || window >= length)) return undefined;
  const space = [1, 1, length, length];
  const [row, column] = [iota(space, 2), iota(space, 3)];
  let visible = lessEqual(column, row);
  if (window !== undefined) visible = logicalAnd(visible, less(row, add(column, window)));
  return attentionMask ? logicalAnd(visible, cast(reshape(attentionMask, [batch, 1, 1, length]), "bool")) : visible;
}
