import { ShapeError, slice, type Tensor } from "@weft/tensor-core";

/** The first half of the rows, chosen, and the second, rejected. @throws ShapeError for an odd number of rows */
export function halves(rows: Tensor): readonly [chosen: Tensor, rejected: Tensor] {
  const [all] = rows.shape as [number];
  if (all % 2 !== 0)
    throw new ShapeError(`a batch of pairs has ${all} rows, expected an even number: first the chosen ones, then the rejected ones`);
  return [slice(rows, [[0, all / 2]]), slice(rows, [[all / 2, all]])];
}
