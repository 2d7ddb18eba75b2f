import { cast, ConfigError, type LayerSpec, type Params, sizeOf, tensor, type Tensor } from "@weft/tensor-core";
import { matrix, type Matrix, truncatedSvd } from "@weft/tensor-core/linalg";

/**
 * What T-LoRA's training begins with, and its files do not hold: the r largest singular values of W and their vectors, P₀·diag(λ₀)·Q₀ the
 * best approximation of W of rank r. Right for files that were trained with LyCORIS' default options (`use_data_init`, `sig_type`
 * principal) on this very weight.
 * @returns parameters `p0` [out, r], `lambda0` [1, r], `q0` [r, in] (with the axes of a convolution)
 * @throws ConfigError if the rank is larger than W has
 */
export async function initialFactors({ r }: { readonly r: number }, layer: LayerSpec, weight: Tensor): Promise<Params> {
  const [out, inputs, ...ones] = layer.shape as [number, number, ...number[]];
  if (r > Math.min(out, sizeOf(layer.shape) / out)) throw new ConfigError(`TLORA: a weight [${layer.shape}] has no ${r} singular values`);
  const { u, s, vt } = truncatedSvd(matrix(out, inputs, await cast(weight, "f32").data()), r);
  const toTensor = ({ rows, cols, data }: Matrix): Tensor => tensor(Float32Array.from(data), { shape: [rows, cols, ...ones] });
  return { q0: toTensor(vt), p0: toTensor(u), lambda0: tensor(Float32Array.from(s), { shape: [1, r] }) };
}
