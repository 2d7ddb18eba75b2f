import { callComposite, type Composite } from "../composite.js";
import { ConfigError, ShapeError } from "../errors.js";
import type { Tensor } from "../graph.js";
import { iota } from "../ops/create.js";
import { cast } from "../ops/cast.js";
import { add, div, equal, mul, neg, sub, where } from "../ops/elementwise.js";
import { matmul } from "../ops/linear.js";
import { broadcastTo, concat, reshape, slice, swapLast } from "../ops/movement.js";

/** Sizes up to which elimination step by step beats products of halves, whose matrices would be tiny. */
const SMALL = 8;

/** The identity [b, b] in f32. */
function identity(b: number): Tensor {
  return cast(equal(iota([b, b], 0), iota([b, b], 1)), "f32");
}

const part = (m: Tensor, rows: readonly [number, number], columns: readonly [number, number]): Tensor =>
  slice(m, [undefined, rows, columns]);

/**
 * Gauss–Jordan elimination in place, without pivoting. In step k with pivot p, row k becomes m[k, j] / p and every other row i loses
 * m[i, k] times that, with column k taken as that of the identity (so that it ends as 1/p and -m[i, k] / p).
 */
function eliminate(m: Tensor): Tensor {
  const b = m.shape[1]!;
  let x = m;
  for (let k = 0; k < b; k++) {
    const at = equal(iota([b], 0), k);
    const [inRow, inColumn] = [reshape(at, [1, b, 1]), reshape(at, [1, 1, b])];
    const [row, column] = [part(x, [k, k + 1], [0, b]), part(x, [0, b], [k, k + 1])];
    const pivot = part(x, [k, k + 1], [k, k + 1]);
    const scaled = div(where(inColumn, 1, row), pivot);
    x = where(inRow, scaled, sub(where(inColumn, 0, x), mul(column, scaled)));
  }
  return x;
}

/**
 * [[A, B], [C, D]]⁻¹ by the Schur complement S = D - C·A⁻¹·B, which has a positive definite symmetric part if the whole has. The halves are
 * calls of `inverse` again, so that a backend takes over where they are small enough for its kernel.
 */
function invert(m: Tensor): Tensor {
  const b = m.shape[1]!;
  if (b <= SMALL) return eliminate(m);
  const h = b >> 1;
  const [low, high] = [
    [0, h],
    [h, b],
  ] as const;
  const [A, B, C, D] = [part(m, low, low), part(m, low, high), part(m, high, low), part(m, high, high)];
  const a = inverse(A);
  const [CA, AB] = [matmul(C, a), matmul(a, B)];
  const s = inverse(sub(D, matmul(CA, B)));
  const upper = matmul(AB, s);
  const top = concat([add(a, matmul(upper, CA)), neg(upper)], 2);
  return concat([top, concat([neg(matmul(s, CA)), s], 2)], 1);
}

function checkBlocks(name: string, m: Tensor): void {
  if (m.shape.length !== 3 || m.shape[1] !== m.shape[2])
    throw new ShapeError(`${name}: expected square blocks [n, b, b], got [${m.shape}]`);
}

/**
 * `inverse`: N = M⁻¹ for each block M [b, b] whose symmetric part (M + Mᵀ)/2 is positive definite, as that of I + Q with a skew-symmetric Q.
 * Eliminated without pivoting, which is safe for such blocks (and only for them). Computed in f32, stored in the dtype of M.
 *
 * Input M [n, b, b]; result [n, b, b]. Gradient: dM = -Nᵀ·dN·Nᵀ.
 * @see Golub & Van Loan, Matrix Computations, 4.4.4 (unsymmetric positive definite systems)
 */
const INVERSE: Composite = {
  name: "inverse",
  decompose: ([m]) => [cast(invert(cast(m!, "f32")), m!.dtype)],
  vjp: (_, __, [y], [dy]) => [neg(matmul(matmul(swapLast(y!), dy!), swapLast(y!)))],
};

/** @see INVERSE @throws ShapeError if the input is not [n, b, b] */
export function inverse(m: Tensor): Tensor {
  checkBlocks("inverse", m);
  return callComposite(INVERSE, [m])[0]!;
}

/**
 * `cayley`: R = (I - Q)(I + Q)⁻¹ = 2(I + Q)⁻¹ - I, orthogonal for skew-symmetric Q. Computed in f32, stored in the dtype of Q.
 *
 * Input Q [n, b, b], skew-symmetric; result [n, b, b]. The transpose, (I + Q)(I - Q)⁻¹, is `cayley(-Q)`.
 * Gradient, with N = (R + I)/2: dQ = -2·Nᵀ·dR·Nᵀ.
 * @see Qiu et al. 2023 (OFT), section 3.2; peft `tuners/oft/layer.py` _cayley_batch, `tuners/boft/layer.py` cayley_batch
 */
const CAYLEY: Composite = {
  name: "cayley",
  decompose: ([q]) => {
    const eye = identity(q!.shape[1]!);
    return [cast(sub(mul(inverse(add(cast(q!, "f32"), eye)), 2), eye), q!.dtype)];
  },
  vjp: ([q], __, [r], [dr]) => {
    const N = swapLast(mul(add(r!, cast(identity(q!.shape[1]!), r!.dtype)), 0.5));
    return [mul(matmul(matmul(N, dr!), N), -2)];
  },
};

/** @see CAYLEY @throws ShapeError if the input is not [n, b, b] */
export function cayley(q: Tensor): Tensor {
  checkBlocks("cayley", q);
  return callComposite(CAYLEY, [q])[0]!;
}

/**
 * PEFT's truncated series for the *transpose* of `cayley`, (I + Q)(I - Q)⁻¹ = I + 2Q + 2Q² + …, of which the last power counts once:
 * I + 2Q + … + 2Qⁿ⁻² + Qⁿ⁻¹ for n ≥ 4 terms; I for 1, I + 2Q for 2, and for 3 the same as for 4. Not orthogonal.
 * Q [m, b, b] → [m, b, b] in the dtype of Q.
 * @throws ConfigError if `terms` is no positive integer
 * @see peft `tuners/oft/layer.py` _cayley_batch with use_cayley_neumann
 */
export function cayleyNeumann(q: Tensor, terms: number): Tensor {
  checkBlocks("cayleyNeumann", q);
  if (!Number.isInteger(terms) || terms < 1) throw new ConfigError(`cayleyNeumann: expected a positive number of terms, got ${terms}`);
  const eye = cast(identity(q.shape[1]!), q.dtype);
  if (terms === 1) return broadcastTo(eye, q.shape);
  let series = add(eye, mul(q, 2));
  if (terms === 2) return series;
  let power = q;
  for (let k = 2; k <= Math.max(terms, 4) - 2; k++) {
    power = matmul(power, q);
    series = add(series, mul(power, 2));
  }
  return add(series, matmul(power, q));
}
