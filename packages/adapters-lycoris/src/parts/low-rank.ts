import { conv, convLike, isConv, type LayerSpec, linear, matmul, type ParameterSpec, reshape, type Tensor } from "@weft/tensor-core";
import { tuckerRebuild } from "./tucker.js";

/**
 * Factors of ΔW: down [r, in, *kernel] and up [out, r]; with a core mid [r, r, *kernel] down is [r, in]. Axes of length 1 behind do not
 * matter.
 */
export interface Factors {
  readonly up: Tensor;
  readonly down: Tensor;
  readonly mid?: Tensor | undefined;
}

/** A factor as a matrix, without the axes of a convolution. */
export const matrix = (t: Tensor): Tensor => reshape(t, [t.shape[0]!, -1]);

/** up · down, or up · mid · down with a Tucker core, in the shape of the layer's weight. */
export function lowRankDelta({ up, down, mid }: Factors, layer: LayerSpec): Tensor {
  if (mid) return tuckerRebuild(matrix(up), mid, matrix(down), layer.shape);
  return reshape(matmul(matrix(up), matrix(down)), layer.shape);
}

/**
 * (up · down)·x by two or three small layers; the one with the kernel has the layer's geometry. Undefined with groups: down reads one
 * group's channels only.
 */
export function lowRankEffect(x: Tensor, { up, down, mid }: Factors, layer: LayerSpec): Tensor | undefined {
  if (!isConv(layer)) return linear(linear(x, down), up);
  if (!isDense(layer)) return undefined;
  const each = layer.shape.slice(2).map(() => 1);
  const pointwise = (input: Tensor, t: Tensor): Tensor => conv(input, reshape(t, [...matrix(t).shape, ...each]));
  return pointwise(mid ? convLike(layer, pointwise(x, down), mid) : convLike(layer, x, down), up);
}

/** A linear layer or a convolution without groups. */
export const isDense = (layer: LayerSpec): boolean => isLinearOrConv(layer) && (layer.conv?.groups ?? 1) === 1;

/** What has a weight [out, in, …], as LyCORIS knows it. */
export const isLinearOrConv = (layer: LayerSpec): boolean => (layer.kind === "linear" && !layer.transposed) || isConv(layer);

/** Whether the layer is a convolution with a kernel larger than 1, which alone has a Tucker form. */
export const hasKernel = (layer: LayerSpec): boolean => isConv(layer) && layer.shape.slice(2).some((k) => k !== 1);

/** A trainable parameter. */
export const trained = (shape: readonly number[], init: ParameterSpec["init"]["kind"] | number): ParameterSpec => ({
  shape,
  init: typeof init === "number" ? { kind: "normal", std: init } : ({ kind: init } as ParameterSpec["init"]),
  trainable: true,
});
