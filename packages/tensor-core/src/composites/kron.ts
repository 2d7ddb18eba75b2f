import { callComposite, type Composite } from "../composite.js";
import { ShapeError } from "../errors.js";
import type { Tensor } from "../graph.js";
import { mul } from "../ops/elementwise.js";
import { linear, matmul } from "../ops/linear.js";
import { reshape } from "../ops/movement.js";

/**
 * `kron`: the Kronecker product a ⊗ b, y[oa·r + ob, ia·s + ib, κ] = a[oa, ia] · b[ob, ib, κ].
 *
 * Inputs a [p, q], b [r, s, *K]; result [p·r, q·s, *K] in the promoted dtype.
 * @see lycoris `functional/lokr.py` make_kron; torch.kron (equal for two matrices)
 */
const KRON: Composite = {
  name: "kron",
  decompose: ([a, b]) => {
    const [p, q] = a!.shape as [number, number];
    const [r, s, ...kernel] = b!.shape as [number, number, ...number[]];
    const product = mul(reshape(a!, [p, 1, q, 1, ...kernel.map(() => 1)]), reshape(b!, [1, r, 1, s, ...kernel]));
    return [reshape(product, [p * r, q * s, ...kernel])];
  },
};

/** @see KRON @throws ShapeError if a is no matrix, or b has fewer than two axes */
export function kron(a: Tensor, b: Tensor): Tensor {
  if (a.shape.length !== 2 || b.shape.length < 2)
    throw new ShapeError(`kron: expected a [p, q] and b [r, s, …], got [${a.shape}] and [${b.shape}]`);
  return callComposite(KRON, [a, b])[0]!;
}

/**
 * `kronLinear`: y = x · kron(a, b)ᵀ without forming the product: with each row of x seen as a matrix X [q, s], Y = a · X · bᵀ, flattened
 * [p, r]. The cheaper of (a·X)·bᵀ and a·(X·bᵀ) is taken.
 *
 * Inputs x [.., q·s], a [p, q], b [r, s]; result [.., p·r] in the promoted dtype.
 * @see lycoris `modules/lokr.py` bypass_forward_diff
 */
const KRON_LINEAR: Composite = {
  name: "kronLinear",
  decompose: ([x, a, b]) => {
    const [p, q] = a!.shape as [number, number];
    const [r, s] = b!.shape as [number, number];
    const X = reshape(x!, [-1, q, s]);
    const leftFirst = p * s * (q + r) < q * r * (s + p);
    const Y = leftFirst ? linear(matmul(a!, X), b!) : matmul(a!, linear(X, b!));
    return [reshape(Y, [...x!.shape.slice(0, -1), p * r])];
  },
};

/** @see KRON_LINEAR @throws ShapeError if a and b are no matrices, or x has not q·s columns */
export function kronLinear(x: Tensor, a: Tensor, b: Tensor): Tensor {
  const fits = a.shape.length === 2 && b.shape.length === 2 && x.shape.at(-1) === a.shape[1]! * b.shape[1]!;
  if (!fits) throw new ShapeError(`kronLinear: expected x [.., q·s], a [p, q], b [r, s], got [${x.shape}], [${a.shape}], [${b.shape}]`);
  return callComposite(KRON_LINEAR, [x, a, b])[0]!;
}
