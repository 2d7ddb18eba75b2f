import {
  type AdapterContext,
  add,
  div,
  type LayerSpec,
  mul,
  type Shape,
  sizeOf,
  sqrt,
  square,
  sub,
  sum,
  type Tensor,
} from "@weft/tensor-core";

/** Shape of `dora_scale`: [out, 1, …], or [1, in, 1, …] for magnitudes of input columns. */
export function doraShape(layer: LayerSpec, output: boolean): number[] {
  return layer.shape.map((d, i) => (i === (output ? 0 : 1) ? d : 1));
}

/** Whether a `dora_scale` holds magnitudes of rows: files do not say so but by its shape. */
export function isOutputAxis(layer: LayerSpec, shape: Shape): boolean {
  return shape[0] === layer.shape[0] && sizeOf(shape) === shape[0];
}

/** ‖t‖₂ over `axes` (all if not given), which stay with length 1; a norm of 0 has a finite gradient. */
export function safeNorm(t: Tensor, axes?: readonly number[]): Tensor {
  return sqrt(add(sum(square(t), axes ? { axes, keepDims: true } : {}), 1e-30));
}

/** The norms of a weight in the shape of its `dora_scale`. */
export function doraNorm(weight: Tensor, shape: Shape, layer: LayerSpec): Tensor {
  const axis = isOutputAxis(layer, shape) ? 0 : 1;
  return safeNorm(
    weight,
    layer.shape.map((_, i) => i).filter((i) => i !== axis),
  );
}

/**
 * DoRA as LyCORIS has it: with V = W + ΔW and n its norms along the axis of m, W' = V ⊙ (c·(m/(n + ε) - 1) + 1). ΔW enters in full; the
 * strength c fades the rescaling alone. n is that of the weight before any adapter was merged; it is differentiated, unlike PEFT's.
 * @param unmerged the weight before any adapter was merged
 * @see lycoris `modules/locon.py` apply_weight_decompose
 */
export function doraWeight(
  weight: Tensor,
  delta: Tensor,
  magnitude: Tensor,
  { scale, layer }: Pick<AdapterContext<unknown>, "scale" | "layer">,
  unmerged: Tensor,
): Tensor {
  const norms = add(doraNorm(add(unmerged, delta), magnitude.shape, layer), 2 ** -23);
  return mul(add(weight, delta), add(mul(sub(div(magnitude, norms), 1), scale), 1));
}
