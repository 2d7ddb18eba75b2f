import {
  cast,
  concat,
  div,
  equal,
  inverse,
  iota,
  less,
  linear,
  matmul,
  mul,
  norm,
  reshape,
  slice,
  sub,
  sum,
  swapLast,
  type Tensor,
  where,
} from "@weft/tensor-core";
import type { Rotation } from "../rotate.js";

const unit = (columns: Tensor): Tensor => div(columns, norm(columns, { axes: [0], keepDims: true }));

/** Columns orthogonalised one after the other, each against those before it, and normalised. */
function gramSchmidt(u: Tensor): Tensor {
  const [n, r] = u.shape as [number, number];
  const done: Tensor[] = [];
  for (let i = 0; i < r; i++) {
    let column = slice(u, [
      [0, n],
      [i, i + 1],
    ]);
    for (const q of done) column = sub(column, mul(q, sum(mul(q, column), { axes: [0], keepDims: true })));
    done.push(unit(column));
  }
  return concat(done, 1);
}

/**
 * The T [r, r] of the compact form (I - 2u₁u₁ᵀ) ⋯ (I - 2uᵣuᵣᵀ) = I - U·T·Uᵀ for unit columns: the inverse of the upper triangle of UᵀU
 * with 1/2 on the diagonal. So r reflections are three products.
 * @see Schreiber and Van Loan 1989; Puglisi 1992
 */
function compactForm(U: Tensor): Tensor {
  const r = U.shape[1]!;
  const [row, column] = [iota([r, r], 0), iota([r, r], 1)];
  const diagonal = where(equal(row, column), 0.5, 0);
  const triangle = where(less(row, column), matmul(swapLast(U), U), diagonal);
  return reshape(inverse(reshape(triangle, [1, r, r])), [r, r]);
}

/**
 * HRA's H as a rotation, of which the weight takes W·H, and so the input x·Hᵀ: H = Πᵢ (I - 2uᵢuᵢᵀ) in the order of the normalised
 * columns, or I - 2U·Uᵀ with columns orthogonalised.
 * @param u the parameter `hra_u` [in, r]
 * @see peft `tuners/hra/layer.py` get_delta_weight
 */
export function reflections(u: Tensor, applyGS: boolean): Rotation {
  const wide = cast(u, "f32");
  const U = applyGS ? gramSchmidt(wide) : unit(wide);
  const T = applyGS ? undefined : compactForm(U);
  const reflect = (x: Tensor, turn: (low: Tensor) => Tensor): Tensor => sub(x, linear(turn(matmul(x, U)), U));
  return {
    weight: (rows) => reflect(rows, (low) => (T ? matmul(low, T) : mul(low, 2))),
    input: (x) => reflect(x, (low) => (T ? linear(low, T) : mul(low, 2))),
  };
}
