import { lowerQuantLinear } from "../kernels/quant-linear/lower-quant-linear.js";
import { lowerValues } from "../kernels/quant-linear/packed-matrix.js";
import type { KernelGroup } from "../lower/kernel-group.js";

/** Products with packed weights, and their values, whose code is written for each format when it is met. */
export const group: KernelGroup = { composites: { quantLinear: lowerQuantLinear }, fused: lowerValues };
