import { CapabilityError } from "@weft/tensor-core";
import { matrix, type Matrix, type Svd } from "@weft/tensor-core/linalg";

/** How far two vectors of one pair may lie apart (their product) before they count as different ones. */
const SAME = 0.9;

/**
 * A decomposition whose vectors, signs included, the matrix determines: the same once more for the matrix with its last bits changed.
 * Signs follow from the course of LAPACK's iteration; where they hang on a last bit, torch's own differ from machine to machine.
 * @throws CapabilityError kind `undetermined` naming the first pair of vectors that does not stay
 */
export function settledSvd(what: string, a: Matrix, decompose: (a: Matrix) => Svd): Svd {
  const found = decompose(a);
  const { u } = decompose(changed(a));
  for (let k = 0; k < u.cols; k++) {
    let dot = 0;
    for (let i = 0; i < u.rows; i++) dot += u.data[i * u.cols + k]! * found.u.data[i * u.cols + k]!;
    if (dot < SAME)
      throw new CapabilityError(
        `${what}: the weight does not determine its singular vectors ${k + 1} of ${u.cols}: changed by a last bit, it gives others or the other sign`,
        { kind: "undetermined", tensor: what, hint: "lower the rank, or convert the adapter to LoRA with the program that trained it" },
      );
  }
  return found;
}

/** The matrix with each entry a unit in the last place of f32 up, down, or as it was. */
export function changed({ rows, cols, data }: Matrix): Matrix {
  let state = 1;
  return matrix(
    rows,
    cols,
    data.map((x) => x * (1 + (((state = (state * 48271) % 2147483647) % 3) - 1) * 2 ** -23)),
  );
}
