import type { TensorSpec } from "../tensor-spec.js";
import type { ConvAttrs } from "./conv-attrs.js";
import type { Ops } from "./ops.js";
import type { GradientRule } from "./primitive.js";

/** [g·a, b, …] → [g·b, a, …]: exchanges the two channel axes within each group. */
function swapChannels<T extends TensorSpec>(w: T, groups: number, o: Ops<T>): T {
  const [ga, b, ...k] = w.shape as [number, number, ...number[]];
  const grouped = o.reshape(w, [groups, ga / groups, b, ...k]);
  return o.reshape(o.transpose(grouped, [0, 2, 1, ...k.map((_, i) => i + 3)]), [groups * b, ga / groups, ...k]);
}

/**
 * Both gradients of a convolution are convolutions.
 * dx: dy (stride zeros put between) with the flipped, channel-swapped kernel.
 * dW: x with dy as the kernel, batch and channels exchanged; stride and dilation change roles.
 * The high padding is what makes the result as long as x (or the kernel); it may be negative (a crop).
 */
export const convGradients: GradientRule = ({ inputs: [image, weight], attrs }, dy, o) => {
  const [x, w] = [image!, weight!];
  const { stride, padding, dilation, inputDilation, groups } = attrs as unknown as ConvAttrs;
  const spatial = stride.map((_, i) => i);
  const kernel = spatial.map((i) => (w.shape[i + 2]! - 1) * dilation[i]!);
  const reach = spatial.map((i) => (dy.shape[i + 2]! - 1) * stride[i]!);
  const extent = spatial.map((i) => (x.shape[i + 2]! - 1) * inputDilation[i]!);

  const flipped = o.flip(
    swapChannels(w, groups, o),
    spatial.map((i) => i + 2),
  );
  const dx = o.conv(dy, flipped, {
    stride: inputDilation,
    inputDilation: stride,
    dilation,
    groups,
    padding: spatial.map((i): [number, number] => {
      const low = kernel[i]! - padding[i]![0];
      return [low, extent[i]! + kernel[i]! - reach[i]! - low];
    }),
  });

  const [n, c, ...size] = x.shape as [number, number, ...number[]];
  const byChannel = o.transpose(o.reshape(x, [n, groups, c / groups, ...size]), [2, 1, 0, ...spatial.map((i) => i + 3)]);
  const dw = o.conv(o.reshape(byChannel, [c / groups, groups * n, ...size]), o.transpose(dy, [1, 0, ...spatial.map((i) => i + 2)]), {
    stride: dilation,
    inputDilation,
    dilation: stride,
    groups,
    padding: spatial.map((i): [number, number] => [padding[i]![0], kernel[i]! + reach[i]! - extent[i]! - padding[i]![0]]),
  });
  return [o.cast(dx, x.dtype), o.cast(o.transpose(dw, [1, 0, ...spatial.map((i) => i + 2)]), w.dtype)];
};
