import { type Tensor, transpose } from "@weft/tensor-core";

const spatial = (t: Tensor): number[] => t.shape.slice(2).map((_, i) => i + 2);

/**
 * A weight or factor of torch's layout in that of channels-last frameworks: OIHW → HWIO, a matrix [out, in] → [in, out]. Every tensor
 * that has the axes of a weight goes the same way: `lora_down`, `lora_up`, `lora_mid`, `dora_scale`. Kronecker factors and flattened
 * columns are defined on torch's layout: rebuild ΔW first.
 */
export const toHwio = (weight: Tensor): Tensor => transpose(weight, [...spatial(weight), 1, 0]);

/** HWIO → OIHW, the inverse of `toHwio`. */
export const fromHwio = (weight: Tensor): Tensor => {
  const last = weight.shape.length - 1;
  return transpose(weight, [last, last - 1, ...spatial(weight).map((i) => i - 2)]);
};

/** Activations NCHW → NHWC, of any number of spatial axes. */
export const toNhwc = (x: Tensor): Tensor => transpose(x, [0, ...spatial(x), 1]);

/** NHWC → NCHW. */
export const fromNhwc = (x: Tensor): Tensor => transpose(x, [0, x.shape.length - 1, ...spatial(x).map((i) => i - 1)]);
