import { jacobiSvd, type Svd } from "./jacobi-svd.js";
import { type Matrix, product, transposed } from "./matrix.js";
import { qr } from "./qr.js";

/**
 * The singular value decomposition of B·A without forming the product: B = Q_b·R_b, Aᵀ = Q_a·R_a, then that of the small R_b·R_aᵀ.
 * Cost (out + in)·r² instead of out·in·r.
 * @param b [out, r]
 * @param a [r, in]
 */
export function lowRankSvd(b: Matrix, a: Matrix): Svd {
  const [left, right] = [qr(b), qr(transposed(a))];
  const { u, s, vt } = jacobiSvd(product(left.r, transposed(right.r)));
  return { u: product(left.q, u), s, vt: product(vt, transposed(right.q)) };
}
