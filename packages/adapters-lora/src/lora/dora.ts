import {
  type AdapterContext,
  add,
  type BaseLayer,
  biasLike,
  cast,
  div,
  featuresOf,
  forwardBase,
  forwardWithoutBias,
  isConv,
  type LayerSpec,
  mul,
  norm,
  type Params,
  reshape,
  stopGradient,
  sub,
  type Tensor,
} from "@weft/tensor-core";
import type { LoraConfigFields } from "./config.js";

/** Shape of the magnitude: one entry per output feature ([1, out, 1, …] for convolutions); per dimension for an embedding. */
export function magnitudeShape(layer: LayerSpec): number[] {
  const { out } = featuresOf(layer);
  return isConv(layer) ? [1, out, ...layer.shape.slice(2).map(() => 1)] : [out];
}

/** The axis of the stored weight that the magnitude runs along. */
function magnitudeAxis(layer: LayerSpec): number {
  return layer.kind === "embedding" || layer.transposed ? 1 : 0;
}

/** ‖W + Δ‖ per output feature [out]: L2 over everything but that feature, in f32. @see peft `tuners/lora/dora.py` get_weight_norm */
function weightNorm(weight: Tensor, delta: Tensor, layer: LayerSpec): Tensor {
  const sum = add(cast(weight, "f32"), cast(delta, "f32"));
  return norm(sum, { axes: sum.shape.map((_, i) => i).filter((i) => i !== magnitudeAxis(layer)) });
}

/** The magnitude with which an adapter changes nothing but by its direction. */
export function magnitudeOf(weight: Tensor, delta: Tensor, layer: LayerSpec): Tensor {
  return reshape(weightNorm(weight, delta, layer), magnitudeShape(layer));
}

/** m / ‖W + Δ‖ per output feature [out], the norm taken as a constant in the backward pass. @see Liu et al. 2024 (DoRA), §4.3 */
function factor(weight: Tensor, delta: Tensor, magnitude: Tensor, layer: LayerSpec): Tensor {
  return div(reshape(cast(magnitude, "f32"), [-1]), stopGradient(weightNorm(weight, delta, layer)));
}

/** W' = (m / ‖W₀ + Δ‖) ⊙ (W + Δ), with W₀ the weight before any adapter was merged. */
export function doraTransform(weight: Tensor, delta: Tensor, params: Params, layer: LayerSpec, unmerged: Tensor): Tensor {
  const f = factor(unmerged, delta, params.magnitude!, layer);
  const spread = reshape(
    f,
    layer.shape.map((_, i) => (i === magnitudeAxis(layer) ? -1 : 1)),
  );
  return mul(spread, add(cast(weight, "f32"), cast(delta, "f32")));
}

/**
 * y + (m/n - 1)·(y - bias) + (m/n)·s·BAx; for embeddings (m/n)·y + (m/n)·s·BAx. With dropout the base part comes from the dropped input.
 * @param low the low-rank result s·B(A(x)) of the dropped input
 */
export function doraForward(
  x: Tensor,
  base: BaseLayer,
  low: Tensor,
  delta: Tensor,
  params: Params,
  { layer }: AdapterContext<LoraConfigFields>,
  dropped: Tensor,
): Tensor {
  const f = factor(base.weight, delta, params.magnitude!, layer);
  const spread = isConv(layer) ? biasLike(layer, f) : f;
  const y = forwardBase(layer, base, x);
  if (layer.kind === "embedding") return cast(mul(spread, add(y, low)), y.dtype);
  const plain = dropped === x ? (base.bias ? sub(y, biasLike(layer, base.bias)) : y) : forwardWithoutBias(layer, base, dropped);
  return cast(add(y, add(mul(sub(spread, 1), plain), mul(spread, low))), y.dtype);
}
