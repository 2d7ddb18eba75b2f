import type { Tensor } from "@weft/tensor-core";

/** Whether two tensors have the same dtype, shape and values. */
export async function sameValues(a: Tensor, b: Tensor): Promise<boolean> {
  if (a.dtype !== b.dtype || a.shape.join() !== b.shape.join()) return false;
  const [x, y] = [await a.data(), await b.data()];
  return x.every((v, i) => v === y[i]);
}
