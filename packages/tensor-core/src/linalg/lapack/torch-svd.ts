import type { Svd } from "../jacobi-svd.js";
import { matrix, type Matrix, product, transposed } from "../matrix.js";
import { qr } from "../qr.js";
import { bdsdc } from "./bdsdc.js";
import { gebrd } from "./gebrd.js";
import { identity, toOtherTriangle } from "./lasdq.js";
import { EPS } from "./rotations.js";

/** Rows per column from which a tall matrix goes through QR, columns per row from which a wide one goes through LQ: MKL's; LAPACK has 11/6 for both. */
const QR_ASPECT = 1.5;
const LQ_ASPECT = 20;

/**
 * Beyond this size MKL reduces to bidiagonal form in blocks, and the rounding noise of that in f32 is larger than what counts as negligible, so that a
 * matrix of low rank is not split where its rank ends. In f64 there is only the noise of the entries themselves; a lower bound keeps the matrix whole.
 */
const UNBLOCKED = 32;
const BELOW_NOISE = EPS / 1024;

/**
 * The `rank` largest singular triplets with the signs that `torch.linalg.svd` gives each pair of vectors for f32 on x86: LAPACK's algorithm with
 * its single-precision thresholds and MKL's choices, computed in f64. O(m·n·min(m, n)).
 *
 * Signs follow from the course of an iteration, so that rounding can turn some. For random matrices whose signs torch itself keeps when entries move
 * by one ulp, over 99 % of pairs agree: at full rank up to 200 rows and columns, at rank 8 or less too, at rank 12 up to 100. With more than 25 rows
 * and columns, higher ranks short of full become a matter of chance, in torch too (200 × 200 of rank 20: it keeps 1 of 100), as are null directions.
 * @see LAPACK `sgesdd`
 */
export function torchSvd(a: Matrix, rank: number): Svd {
  const { rows: m, cols: n } = a;
  if (m > n && m >= Math.floor(QR_ASPECT * n)) {
    const { q, r } = qr(a);
    const { u, s, vt } = direct(r, rank, EPS);
    return { u: product(q, u), s, vt };
  }
  if (n > m && n >= LQ_ASPECT * m) {
    const { q, r } = qr(transposed(a));
    const { u, s, vt } = direct(transposed(r), rank, EPS);
    return { u, s, vt: product(vt, transposed(q)) };
  }
  return direct(a, rank, Math.min(m, n) > UNBLOCKED ? BELOW_NOISE : EPS);
}

/** Without QR first: A = Q·B·Pᵀ, B = U·S·Vᵀ. */
function direct(a: Matrix, rank: number, negligible: number): Svd {
  const { d, e, applyQ, applyP } = gebrd(a);
  const k = d.length;
  const lower = a.rows < a.cols;
  // Rotations G with G·B upper bidiagonal.
  const turn = identity(k);
  if (lower) toOtherTriangle(d, e, turn);
  const { d: values, ut, vt } = bdsdc(d, e, negligible);
  const order = [...values.keys()].sort((i, j) => values[j]! - values[i]!).slice(0, rank);
  const chosen = (rows: Matrix): Matrix => {
    const out = matrix(order.length, k);
    order.forEach((from, to) => out.data.set(rows.data.subarray(from * k, (from + 1) * k), to * k));
    return out;
  };
  const left = chosen(ut);
  return {
    u: transposed(applyQ(lower ? product(left, turn) : left)),
    s: Float64Array.from(order, (i) => values[i]!),
    vt: applyP(chosen(vt)),
  };
}
