import type { Batch } from "./batch.js";

/** The fields of a batch that a model takes, and its labels, each as a list of rows. */
export interface BatchRows {
  readonly inputIds: readonly Int32Array[];
  readonly labels: readonly Int32Array[];
  readonly attentionMask?: readonly Int32Array[];
  readonly positionIds?: readonly Int32Array[];
  readonly segmentIds?: readonly Int32Array[];
}

/** A batch row by row, and without what is only counted: what `train` of `@weft/training` takes. The rows are views. */
export function batchRows({ inputIds, labels, attentionMask, positionIds, segmentIds, shape: [rows, length] }: Batch): BatchRows {
  const cut = (field: Int32Array): Int32Array[] => Array.from({ length: rows }, (_, i) => field.subarray(i * length, (i + 1) * length));
  return {
    inputIds: cut(inputIds),
    labels: cut(labels),
    ...(attentionMask && { attentionMask: cut(attentionMask) }),
    ...(positionIds && { positionIds: cut(positionIds) }),
    ...(segmentIds && { segmentIds: cut(segmentIds) }),
  };
}
