import { code, kernels } from "../generated/further.js";
import { lowerArgSort } from "../kernels/arg-sort/lower-arg-sort.js";
import { lowerConv } from "../kernels/conv/lower-conv.js";
import type { KernelGroup } from "../lower/kernel-group.js";

/** Convolutions and sorting. */
export const group: KernelGroup = { module: { code, kernels }, ops: { argsort: lowerArgSort, conv: lowerConv } };
