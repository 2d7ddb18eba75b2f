import { matmul, swapLast } from "../ops/index.js";
import { ShapeError } from "../errors.js";
import type { Tensor } from "../graph.js";
import { tensor } from "../ops/create.js";
import { torchGenerator, torchNormal } from "../random/index.js";
import { jacobiSvd, type Svd } from "./jacobi-svd.js";
import { luBasis } from "./lu-basis.js";
import { columns, matrix, type Matrix, product, transposed } from "./matrix.js";
import { qr } from "./qr.js";

/** How many columns more than the rank, and how many power iterations. */
export interface RandomizedSvdOptions {
  /** Columns of the sketch beyond the rank. */
  readonly oversample?: number;
  /** Power iterations, each a multiplication with A·Aᵀ: the smaller singular values fall away faster, so the larger come out more exactly. */
  readonly iterations?: number;
}

/**
 * The `rank` largest singular triplets of a matrix that lies on a device: Q spans A·Ω for a random Ω, sharpened by power iterations, with LU in between
 * to keep its columns apart; then the exact SVD of QᵀA. The products run on the device, in f32; the factorisations of tall, narrow matrices on the host, in f64. Ω is the same
 * on every call, so equal input gives equal output.
 * @param a [m, n]
 * @throws ShapeError if `a` is no matrix
 * @see Halko, Martinsson & Tropp 2011, algorithms 4.4 and 5.1; `torch.svd_lowrank`
 */
export async function randomizedSvd(a: Tensor, rank: number, { oversample = 10, iterations = 2 }: RandomizedSvdOptions = {}): Promise<Svd> {
  if (a.shape.length !== 2) throw new ShapeError(`randomizedSvd: expected a matrix, got [${a.shape}]`);
  const [m, n] = a.shape as [number, number];
  const wanted = Math.min(rank, m, n);
  const width = Math.min(wanted + oversample, m, n);
  const at = swapLast(a);
  const times = async (left: Tensor, right: Matrix): Promise<Matrix> => {
    const device = a.node.device;
    const b = tensor(Float32Array.from(right.data), { shape: [right.rows, right.cols], ...(device && { device }) });
    const c = matmul(left, b);
    const result = matrix(c.shape[0]!, c.shape[1]!, await c.data());
    c.dispose();
    b.dispose();
    return result;
  };
  const draws = torchNormal(torchGenerator(0), n * width);
  let y = await times(a, matrix(n, width, draws));
  for (let i = 0; i < iterations; i++) y = await times(a, luBasis(await times(at, luBasis(y))));
  const { q } = qr(y);
  // AᵀQ = P·R, so QᵀA = Rᵀ·Pᵀ: only the small Rᵀ is decomposed.
  const { q: p, r } = qr(await times(at, q));
  const { u, s, vt } = jacobiSvd(transposed(r));
  return {
    u: product(q, columns(u, wanted)),
    s: s.slice(0, wanted),
    vt: product(matrix(wanted, vt.cols, vt.data.slice(0, wanted * vt.cols)), transposed(p)),
  };
}
