import type { CompositeCall } from "@weft/tensor-core";
import { claimsAttention } from "../kernels/attention/claims-attention.js";
import { claimsCrossEntropy } from "../kernels/cross-entropy/claims-cross-entropy.js";
import { claimsMerge } from "../kernels/merge/claims-merge.js";
import { claimsMultiLora } from "../kernels/multi-lora/claims-multi-lora.js";
import { claimsQuantLinear } from "../kernels/quant-linear/claims-quant-linear.js";
import type { GroupName } from "./kernel-group.js";

/** A composite with a kernel of its own. */
export interface CompositeKernel {
  /** Whether it takes this call; others run by their decomposition. */
  readonly claims: (call: CompositeCall) => boolean;
  /** Where its kernel is. */
  readonly group: GroupName;
}

/** Composites with a kernel of their own. A row taken out makes results come from the decomposition. */
export const COMPOSITES: ReadonlyMap<string, CompositeKernel> = new Map<string, CompositeKernel>([
  ["attention", { claims: claimsAttention, group: "model" }],
  ["attentionBackward", { claims: claimsAttention, group: "training" }],
  ["mergeLowRank", { claims: claimsMerge, group: "merge" }],
  ["multiLora", { claims: claimsMultiLora, group: "model" }],
  ["softmaxCrossEntropy", { claims: claimsCrossEntropy, group: "training" }],
  ["softmaxCrossEntropyBackward", { claims: claimsCrossEntropy, group: "training" }],
  ["quantLinear", { claims: claimsQuantLinear, group: "packed" }],
  ["selectiveScan", { claims: () => true, group: "recurrent" }],
  ["topK", { claims: () => true, group: "model" }],
  ["wkv", { claims: () => true, group: "recurrent" }],
]);
