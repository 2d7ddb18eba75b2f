import { isConv, type LayerSpec } from "../adapter/layer.js";
import { CapabilityError } from "../errors.js";
import type { LowRankFactors } from "../adapter/method.js";
import type { Tensor } from "../graph.js";
import { cast } from "../ops/cast.js";
import { mul } from "../ops/elementwise.js";
import { matmul } from "../ops/linear.js";
import { reshape, swapLast, transpose } from "../ops/movement.js";

/** A stack of experts' matrices [experts, …]. */
const isExperts = (layer: LayerSpec): boolean => layer.kind === "parameter" && layer.shape.length === 3;

/**
 * ΔW = scale·B·A in the shape of a layer's weight, computed in f32 and rounded to the factors' dtype, as PEFT does.
 * Of a stack of experts: A [r·E, in] expert-major, B [out, r·E] rank-major.
 * @throws CapabilityError for grouped convolutions
 */
export function lowRankDelta({ A, B, scale }: LowRankFactors, layer: LayerSpec): Tensor {
  const [a, b] = [cast(A, "f32"), cast(B, "f32")];
  const scaled = (product: Tensor): Tensor => cast(mul(product, scale), B.dtype);
  if (isExperts(layer)) {
    const [experts] = layer.shape as [number];
    const rank = a.shape[0]! / experts;
    const aByExpert = reshape(a, [experts, rank, a.shape[1]!]);
    const bByExpert = transpose(reshape(b, [b.shape[0]!, rank, experts]), [2, 0, 1]);
    const product = matmul(bByExpert, aByExpert);
    return scaled(layer.transposed ? swapLast(product) : product);
  }
  if (isConv(layer)) {
    if ((layer.conv?.groups ?? 1) > 1)
      throw new CapabilityError("LoRA on a grouped convolution has no ΔW of the weight's shape: A reads all channels", {
        hint: "keep the adapter unmerged",
      });
    const [out, r] = [b.shape[0]!, a.shape[0]!];
    return scaled(reshape(matmul(reshape(b, [out, r]), reshape(a, [r, -1])), layer.shape));
  }
  const product = matmul(b, a);
  return scaled(layer.kind === "embedding" || layer.transposed ? swapLast(product) : product);
}
