import { code, kernels } from "../generated/merge.js";
import { lowerMerge } from "../kernels/merge/lower-merge.js";
import type { KernelGroup } from "../lower/kernel-group.js";

/** Merging of adapters into weights. */
export const group: KernelGroup = { module: { code, kernels }, composites: { mergeLowRank: lowerMerge } };
