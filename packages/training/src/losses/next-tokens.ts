import { ShapeError, slice, reshape, type Tensor } from "@weft/tensor-core";

/** torch's `ignore_index`: positions with this label are not trained. */
export const IGNORE_INDEX = -100;

/** States and the labels that they foretell, row by row. */
export interface NextTokens {
  /** [rows · steps, hidden] */
  readonly states: Tensor;
  /** i32 [rows · steps] */
  readonly labels: Tensor;
  readonly rows: number;
  readonly steps: number;
}

/**
 * Each state with the label one position later. Virtual tokens in front have no labels; the last of them foretells the first token, as in PEFT.
 * @param hidden [batch, virtual + length, hidden]; @param labels i32 [batch, length]
 * @throws ShapeError for labels that are not one per token
 */
export function nextTokens(hidden: Tensor, labels: Tensor): NextTokens {
  const [rows, all, width] = hidden.shape as [number, number, number];
  const length = labels.shape[1]!;
  if (labels.shape.length !== 2 || labels.shape[0] !== rows || length > all)
    throw new ShapeError(`labels are [${labels.shape}], expected [${rows}, at most ${all}] for hidden states [${hidden.shape}]`);
  const virtual = all - length;
  const steps = virtual === 0 ? length - 1 : length;
  const from = Math.max(0, virtual - 1);
  return {
    states: reshape(slice(hidden, [undefined, [from, from + steps]]), [rows * steps, width]),
    labels: reshape(slice(labels, [undefined, [length - steps, length]]), [rows * steps]),
    rows,
    steps,
  };
}
