import { code, kernels } from "../generated/model.js";
import { lowerArgReduce } from "../kernels/arg-reduce/lower-arg-reduce.js";
import { lowerAttention } from "../kernels/attention/lower-attention.js";
import { lowerGather } from "../kernels/gather/lower-gather.js";
import { lowerDynamicSlice } from "../kernels/moving-box/lower-dynamic-slice.js";
import { lowerUpdate } from "../kernels/moving-box/lower-update.js";
import { lowerMultiLora } from "../kernels/multi-lora/lower-multi-lora.js";
import { lowerTopK } from "../kernels/top-k/lower-top-k.js";
import type { KernelGroup } from "../lower/kernel-group.js";
import { lowerConcat, lowerPad } from "../lower/movement.js";

/** What models run besides products and what is fused: embeddings, attention, caches, choosing a token, adapters that differ from row to row. */
export const group: KernelGroup = {
  module: { code, kernels },
  ops: {
    argreduce: lowerArgReduce,
    concat: lowerConcat,
    dynamicSlice: lowerDynamicSlice,
    gather: lowerGather,
    pad: lowerPad,
    update: lowerUpdate,
  },
  composites: { attention: lowerAttention, multiLora: lowerMultiLora, topK: lowerTopK },
};
