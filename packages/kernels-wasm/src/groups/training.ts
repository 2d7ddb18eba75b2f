import { code, kernels } from "../generated/training.js";
import { lowerAttentionBackward } from "../kernels/attention/lower-attention-backward.js";
import { lowerColumnSum } from "../kernels/column-sum/lower-column-sum.js";
import { lowerCrossEntropy, lowerCrossEntropyBackward } from "../kernels/cross-entropy/lower-cross-entropy.js";
import { lowerRandom } from "../kernels/random/lower-random.js";
import { lowerScatterAdd } from "../kernels/scatter-add/lower-scatter-add.js";
import type { KernelGroup } from "../lower/kernel-group.js";

/** Losses, gradients and draws. */
export const group: KernelGroup = {
  module: { code, kernels },
  ops: { random: lowerRandom, reduce: lowerColumnSum, scatterAdd: lowerScatterAdd },
  composites: {
    attentionBackward: lowerAttentionBackward,
    softmaxCrossEntropy: lowerCrossEntropy,
    softmaxCrossEntropyBackward: lowerCrossEntropyBackward,
  },
};
