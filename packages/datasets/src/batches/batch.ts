import { optionError } from "../data-error.js";
import { IGNORED } from "../encode/encoded.js";

/** Tokens and labels, as far as batches need them. */
export interface Sequence {
  readonly ids: Int32Array;
  readonly labels: Int32Array;
}

/** What a model is trained on at once: B rows of T tokens, row after row. */
export interface Batch {
  /** Token ids, [B, T]. */
  readonly inputIds: Int32Array;
  /** The ids that are trained on, −100 elsewhere, [B, T]; not shifted. */
  readonly labels: Int32Array;
  /** 1 of tokens, 0 of padding, [B, T]; only where there is padding. */
  readonly attentionMask?: Int32Array;
  /** Positions in each document, [B, T]; only of packed rows. */
  readonly positionIds?: Int32Array;
  /** Which document of its row each token is of, from 1; 0 of padding, [B, T]; only of packed rows. Models take it as it is. */
  readonly segmentIds?: Int32Array;
  readonly shape: readonly [rows: number, length: number];
  /** Labels that are not −100: what a mean over the batch divides by. */
  readonly tokens: number;
  /** Examples in it. */
  readonly examples: number;
}

/** How rows are brought to one length. */
export interface PaddingOptions {
  /** The id of padding; 0 if not given. What it is does not matter: padding is never trained on, nor seen. */
  readonly padId?: number;
  /** Rows become a multiple of so many tokens long; 1 if not given. */
  readonly padToMultipleOf?: number;
  /** `right` if not given. */
  readonly padSide?: "left" | "right";
}

/**
 * Rows as a batch. A row is one sequence, or several packed into one, one behind the other.
 * @param length of the rows; that of the longest if not given
 */
export function batchOf(
  rows: readonly (readonly Sequence[])[],
  packed: boolean,
  { padId = 0, padToMultipleOf = 1, padSide = "right" }: PaddingOptions = {},
  length?: number,
): Batch {
  if (!Number.isInteger(padToMultipleOf) || padToMultipleOf < 1)
    throw optionError(`padToMultipleOf is ${padToMultipleOf}, expected an integer above 0`);
  const sizes = rows.map((row) => row.reduce((sum, { ids }) => sum + ids.length, 0));
  const width = length ?? Math.ceil(Math.max(...sizes) / padToMultipleOf) * padToMultipleOf;
  const size = rows.length * width;
  const inputIds = new Int32Array(size).fill(padId);
  const labels = new Int32Array(size).fill(IGNORED);
  const [mask, positionIds, segmentIds] = [new Int32Array(size), new Int32Array(size), new Int32Array(size)];
  let tokens = 0;
  for (const [r, row] of rows.entries()) {
    let at = r * width + (padSide === "left" ? width - sizes[r]! : 0);
    mask.fill(1, at, at + sizes[r]!);
    for (const [s, sequence] of row.entries()) {
      inputIds.set(sequence.ids, at);
      labels.set(sequence.labels, at);
      // The end of the document before must not predict the beginning of this one.
      if (sequence.ids.length > 0) labels[at] = IGNORED;
      for (let i = 0; i < sequence.ids.length; i++) {
        positionIds[at + i] = i;
        segmentIds[at + i] = s + 1;
        if (labels[at + i] !== IGNORED) tokens++;
      }
      at += sequence.ids.length;
    }
  }
  const padding = sizes.some((one) => one < width);
  return {
    inputIds,
    labels,
    ...(padding && { attentionMask: mask }),
    ...(packed && { positionIds, segmentIds }),
    shape: [rows.length, width],
    tokens,
    examples: rows.reduce((sum, row) => sum + row.length, 0),
  };
}
