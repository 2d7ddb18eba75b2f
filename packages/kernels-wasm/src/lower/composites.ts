import type { CompositeCall } from "@weft/tensor-core";
import { lowerAttention } from "../kernels/attention/lower-attention.js";
import { lowerAttentionBackward } from "../kernels/attention/lower-attention-backward.js";
import { claimsAttention } from "../kernels/attention/operands.js";
import { claimsCrossEntropy, lowerCrossEntropy, lowerCrossEntropyBackward } from "../kernels/cross-entropy/lower-cross-entropy.js";
import { claimsMerge, lowerMerge } from "../kernels/merge/lower-merge.js";
import { claimsMultiLora, lowerMultiLora } from "../kernels/multi-lora/lower-multi-lora.js";
import { claimsQuantLinear, lowerQuantLinear } from "../kernels/quant-linear/lower-quant-linear.js";
import { loadWriters } from "../kernels/quant-linear/packed-matrix.js";
import { lowerSelectiveScan } from "../kernels/selective-scan/lower-selective-scan.js";
import { lowerTopK } from "../kernels/top-k/lower-top-k.js";
import { lowerWkv } from "../kernels/wkv/lower-wkv.js";
import type { CompositeStep, LowerContext, Run } from "./context.js";

/** A composite with a kernel of its own. */
export interface CompositeKernel {
  /** Whether it takes this call; others run by their decomposition. */
  readonly claims: (call: CompositeCall) => boolean;
  readonly lower: (step: CompositeStep, context: LowerContext) => Run;
  /** Loads what running it needs besides; undefined if that is there. */
  readonly load?: () => Promise<unknown> | undefined;
}

/** Composites with a kernel of their own. A row taken out makes results come from the decomposition. */
export const COMPOSITES: ReadonlyMap<string, CompositeKernel> = new Map<string, CompositeKernel>([
  ["attention", { claims: claimsAttention, lower: lowerAttention }],
  ["attentionBackward", { claims: claimsAttention, lower: lowerAttentionBackward }],
  ["mergeLowRank", { claims: claimsMerge, lower: lowerMerge }],
  ["multiLora", { claims: claimsMultiLora, lower: lowerMultiLora }],
  ["softmaxCrossEntropy", { claims: claimsCrossEntropy, lower: lowerCrossEntropy }],
  ["softmaxCrossEntropyBackward", { claims: claimsCrossEntropy, lower: lowerCrossEntropyBackward }],
  ["quantLinear", { claims: claimsQuantLinear, lower: lowerQuantLinear, load: loadWriters }],
  ["selectiveScan", { claims: () => true, lower: lowerSelectiveScan }],
  ["topK", { claims: () => true, lower: lowerTopK }],
  ["wkv", { claims: () => true, lower: lowerWkv }],
]);
