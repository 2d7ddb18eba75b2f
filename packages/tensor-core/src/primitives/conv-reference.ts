import { contiguousStrides, sizeOf } from "../shape.js";
import type { ConvAttrs } from "./conv-attrs.js";
import type { ReferenceKernel } from "./primitive.js";

/** Direct convolution: for every output element the sum over its window (padding and the zeros of input dilation contribute nothing). */
export const convolve: ReferenceKernel = ([x, w], attrs, out) => {
  const { stride, padding, dilation, inputDilation, groups } = attrs as unknown as ConvAttrs;
  const space = out.shape.slice(2);
  const kernel = w!.shape.slice(2);
  const [outStrides, kernelStrides, inStrides] = [
    contiguousStrides(space),
    contiguousStrides(kernel),
    contiguousStrides(x!.shape.slice(2)),
  ];
  const [outSize, kernelSize, inSize] = [sizeOf(space), sizeOf(kernel), sizeOf(x!.shape.slice(2))];
  const [batch, channels] = x!.shape as [number, number];
  const outChannels = w!.shape[0]!;
  const perGroup = w!.shape[1]!;
  const result = new Float64Array(sizeOf(out.shape));

  /** Offset of the input element under kernel position k for output position p, or -1 where there is none. */
  const inputAt = (p: number, k: number): number => {
    let at = 0;
    for (let axis = 0; axis < space.length; axis++) {
      const o = Math.floor(p / outStrides[axis]!) % space[axis]!;
      const t = Math.floor(k / kernelStrides[axis]!) % kernel[axis]!;
      const dilated = o * stride[axis]! + t * dilation[axis]! - padding[axis]![0]!;
      const i = dilated / inputDilation[axis]!;
      if (!Number.isInteger(i) || i < 0 || i >= x!.shape[axis + 2]!) return -1;
      at += i * inStrides[axis]!;
    }
    return at;
  };

  for (let p = 0; p < outSize; p++) {
    for (let k = 0; k < kernelSize; k++) {
      const at = inputAt(p, k);
      if (at < 0) continue;
      for (let n = 0; n < batch; n++) {
        for (let o = 0; o < outChannels; o++) {
          const first = Math.floor(o / (outChannels / groups)) * perGroup;
          let acc = 0;
          for (let c = 0; c < perGroup; c++)
            acc += x!.values[(n * channels + first + c) * inSize + at]! * w!.values[(o * perGroup + c) * kernelSize + k]!;
          result[(n * outChannels + o) * outSize + p]! += acc;
        }
      }
    }
  }
  return result;
};
