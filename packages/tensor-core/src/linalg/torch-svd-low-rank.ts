import { torchGenerator, torchNormal } from "../random/index.js";
import type { Svd } from "./jacobi-svd.js";
import { torchSvd } from "./lapack/torch-svd.js";
import { matrix, type Matrix, product, transposed } from "./matrix.js";
import { qr } from "./qr.js";

/**
 * `torch.svd_lowrank(a, q, niter)` after `torch.manual_seed(seed)` on the CPU, in f64: a random sketch of the longer side, sharpened by `niter` power
 * iterations, then the SVD of what it spans, with the signs of `torchSvd`. Where q is less than the rank, values and vectors depend on the draws.
 * O(m·n·q·niter).
 * @see torch `_lowrank.py`; Halko, Martinsson & Tropp 2011, algorithm 5.1
 */
export function torchSvdLowRank(a: Matrix, q: number, niter: number, seed: number): Svd {
  const wide = a.rows < a.cols;
  const [tall, across] = wide ? [transposed(a), a] : [a, transposed(a)];
  const sketch = matrix(tall.cols, q, torchNormal(torchGenerator(seed), tall.cols * q));
  let basis = qr(product(tall, sketch)).q;
  for (let i = 0; i < niter; i++) basis = qr(product(tall, qr(product(across, basis)).q)).q;
  const { u, s, vt } = torchSvd(product(transposed(basis), tall), q);
  const left = product(basis, u);
  return wide ? { u: transposed(vt), s, vt: transposed(left) } : { u: left, s, vt };
}
