import { type EncodedExample, encodedOf } from "../encode/encode-example.js";
import { batchOf, type PaddingOptions, type Sequence } from "./batch.js";
import { type BatchRows, batchRows } from "./batch-rows.js";
import { mismatched } from "./mismatched.js";

/** What `train` of `@weft/training` takes of examples of any kind, row by row. */
export interface ExampleRows extends BatchRows {
  /** Of KTO: 1 for answers that are good, 0 for others. */
  readonly desirable?: readonly number[];
  /** Of KTO: each prompt with the answer to the next one, as far as the batch has more than one. */
  readonly klInputIds?: readonly Int32Array[];
  readonly klLabels?: readonly Int32Array[];
  readonly klAttentionMask?: readonly Int32Array[];
}

/** How examples become a batch. */
export interface ExampleRowsOptions extends PaddingOptions {
  /** Examples of a row lie one behind the other, and do not see each other. */
  readonly packed?: boolean;
  /** Tokens of a row; those of the longest if not given. */
  readonly length?: number;
}

/**
 * Examples as a batch of the objective of their kind: of preferences (DPO, ORPO) first all chosen answers, then the rejected ones; of judged answers (KTO) with the mismatched
 * ones from which the divergence is estimated; of others as they are.
 * @param rows examples that share a row; one each unless they are packed
 */
export function exampleRows(
  rows: readonly (readonly EncodedExample[])[],
  { packed = false, length, ...padding }: ExampleRowsOptions = {},
): ExampleRows {
  const of = (sequences: readonly (readonly Sequence[])[]): BatchRows => batchRows(batchOf(sequences, packed, padding, length));
  const all = rows.flat();
  const pairs = all.filter((one) => one.kind === "preference");
  if (pairs.length > 0) return of([...pairs.map(({ chosen }) => [chosen]), ...pairs.map(({ rejected }) => [rejected])]);
  const judged = all.filter((one) => one.kind === "kto");
  if (judged.length === 0) return of(rows.map((row) => row.flatMap(encodedOf)));
  const own = judged.map(({ encoded }) => encoded);
  const desirable = judged.map(({ label }) => Number(label));
  if (own.length === 1) return { ...of([own]), desirable };
  const longest = length ?? Math.max(...own.map(({ ids }) => ids.length));
  const { inputIds, labels, attentionMask } = of(mismatched(own, longest).map((one) => [one]));
  return {
    ...of(own.map((one) => [one])),
    desirable,
    klInputIds: inputIds,
    klLabels: labels,
    ...(attentionMask && { klAttentionMask: attentionMask }),
  };
}
