import {
  broadcastTo,
  CapabilityError,
  cast,
  concat,
  cummax,
  cumsum,
  equal,
  greater,
  iota,
  logicalNot,
  reshape,
  ShapeError,
  slice,
  sub,
  type Tensor,
  where,
} from "@weft/tensor-core";
import type { CausalInputs } from "./causal/inputs.js";

/** Documents that were packed into the rows of a batch: none sees another. */
export interface Segments {
  /** Which one each token is of, counted in its row, i32 [B, T]. */
  readonly ids: Tensor;
  /** Where one begins, bool [B, T]. */
  readonly starts: Tensor;
  /** The position of each token in its own, i32 [B, T]. */
  readonly positions: Tensor;
}

/**
 * What `segmentIds` say; undefined if none are given.
 * @throws ShapeError for ids that do not fit; CapabilityError beside what stands in front of a whole row
 */
export function segmentsOf(inputs: Omit<CausalInputs, "inputIds">, batch: number, length: number): Segments | undefined {
  const { segmentIds } = inputs;
  if (!segmentIds) return undefined;
  for (const name of ["cache", "pastKeyValues", "virtualTokens"] as const)
    if (inputs[name])
      throw new CapabilityError(`forward: segmentIds and ${name} do not go together`, {
        hint: "what stands in front of a row would belong to its first document alone: do not pack here",
      });
  if (segmentIds.shape.join() !== `${batch},${length}`)
    throw new ShapeError(`forward: segmentIds is [${segmentIds.shape}], expected [${batch},${length}]`);
  const first = broadcastTo(equal(iota([1, 1], 1), 0), [batch, 1]);
  const same = (): Tensor => equal(slice(segmentIds, [undefined, [1, length]]), slice(segmentIds, [undefined, [0, length - 1]]));
  const starts = length === 1 ? first : concat([first, logicalNot(same())], 1);
  const at = iota([batch, length], 1);
  const begins = cast(cummax(cast(where(starts, at, 0), "f32"), 1), "i32");
  const ids = cast(cumsum(cast(starts, "f32"), 1), "i32");
  return { ids, starts, positions: sub(at, begins) };
}

/** Where a query may see a key for both are of one document, bool [B, 1, T, T]. */
export function withinSegments({ ids }: Segments): Tensor {
  const [batch, length] = ids.shape as [number, number];
  return equal(reshape(ids, [batch, 1, length, 1]), reshape(ids, [batch, 1, 1, length]));
}

/** Where the step `lag` back is of the same document, bool [B, T]. */
export const reaches = ({ positions }: Segments, lag: number): Tensor => greater(positions, lag - 1);
