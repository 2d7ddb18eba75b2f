import { matmul, reshape, type Shape, swapLast, type Tensor } from "@weft/tensor-core";

/**
 * ΔW[o, i, κ] = Σ_pq a[o, p] · core[p, q, κ] · b[q, i]: a matrix of channels with a small core per element of the kernel.
 * a [out, p], core [p, q, …], b [q, in] → [out, in, ∏kernel], reshaped to `shape`.
 * @see lycoris `functional/general.py` rebuild_tucker
 */
export function tuckerRebuild(a: Tensor, core: Tensor, b: Tensor, shape: Shape): Tensor {
  const [p, q] = core.shape as [number, number];
  const left = reshape(matmul(a, reshape(core, [p, -1])), [a.shape[0]!, q, -1]);
  return reshape(matmul(swapLast(b), left), shape);
}
