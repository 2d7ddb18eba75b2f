import { jacobiSvd, type Svd } from "./jacobi-svd.js";
import { columns, matrix, type Matrix, product, transposed } from "./matrix.js";
import { qr } from "./qr.js";

/** Largest short side that is decomposed in full; beyond it only the wanted part is computed. */
export const FULL_SVD_LIMIT = 192;

/**
 * The `rank` largest singular triplets. Small matrices: full Jacobi SVD, cut. Larger ones: subspace iteration with oversampling from a fixed
 * start (deterministic), until the wanted singular values stand still to 1e-13, or 200 rounds.
 */
export function truncatedSvd(a: Matrix, rank: number): Svd {
  const wanted = Math.min(rank, a.rows, a.cols);
  const cut = ({ u, s, vt }: Svd): Svd => ({
    u: columns(u, wanted),
    s: s.slice(0, wanted),
    vt: matrix(wanted, vt.cols, vt.data.slice(0, wanted * vt.cols)),
  });
  if (Math.min(a.rows, a.cols) <= FULL_SVD_LIMIT) return cut(jacobiSvd(a));
  const at = transposed(a);
  const width = Math.min(wanted + Math.max(16, wanted), a.rows, a.cols);
  let seed = 1;
  const start = matrix(
    a.cols,
    width,
    Float64Array.from({ length: a.cols * width }, () => (seed = (seed * 48271) % 2147483647) / 2147483647 - 0.5),
  );
  let { q } = qr(product(a, start));
  let before = new Float64Array(wanted);
  for (let round = 0; round < 200; round++) {
    const { q: p } = qr(product(at, q));
    const next = qr(product(a, p));
    q = next.q;
    const now = jacobiSvd(next.r).s.slice(0, wanted);
    if (now.every((x, i) => Math.abs(x - before[i]!) <= 1e-13 * now[0]!)) break;
    before = now;
  }
  const small = jacobiSvd(product(transposed(q), a));
  return cut({ u: product(q, small.u), s: small.s, vt: small.vt });
}
