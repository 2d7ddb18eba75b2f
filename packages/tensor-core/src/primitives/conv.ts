import { promote } from "../dtype.js";
import { ShapeError } from "../errors.js";
import { sizeOf } from "../shape.js";
import type { ConvAttrs } from "./conv-attrs.js";
import { convGradients } from "./conv-gradients.js";
import { convolve } from "./conv-reference.js";
import type { Primitive } from "./primitive.js";

/** Cross-correlation [N, C, *S] * [O, C/groups, *K] with stride, padding (may be negative), dilation, input dilation, groups. Attributes as in `ConvAttrs`. */
export const conv: Primitive = {
  name: "conv",
  group: "conv",
  infer: ([x, w], attrs) => {
    const { stride, padding, dilation, inputDilation, groups } = attrs as unknown as ConvAttrs;
    const spatial = x!.shape.length - 2;
    const [channels, outChannels] = [x!.shape[1]!, w!.shape[0]!];
    if (spatial < 1 || w!.shape.length !== x!.shape.length || w!.shape[1]! * groups !== channels || outChannels % groups !== 0) {
      throw new ShapeError(
        `conv: input [${x!.shape}] and weight [${w!.shape}] do not fit with groups ${groups}; expected [N, C, …] and [O, C/groups, …]`,
      );
    }
    const size = Array.from({ length: spatial }, (_, i) => {
      const [low, high] = padding[i]!;
      const dilated = (x!.shape[i + 2]! - 1) * inputDilation[i]! + 1;
      const kernel = (w!.shape[i + 2]! - 1) * dilation[i]! + 1;
      return Math.floor((dilated + low + high - kernel) / stride[i]!) + 1;
    });
    if (size.some((d) => d < 1))
      throw new ShapeError(`conv: kernel [${w!.shape.slice(2)}] is larger than the padded input [${x!.shape.slice(2)}]`);
    return { shape: [x!.shape[0]!, outChannels, ...size], dtype: promote(x!.dtype, w!.dtype) };
  },
  gradient: convGradients,
  reference: convolve,
  flops: ([, w], [y]) => 2 * sizeOf(y!.shape) * sizeOf(w!.shape.slice(1)),
};
