import { code, kernels } from "../generated/recurrent.js";
import { lowerScan } from "../kernels/scan/lower-scan.js";
import { lowerSelectiveScan } from "../kernels/selective-scan/lower-selective-scan.js";
import { lowerWkv } from "../kernels/wkv/lower-wkv.js";
import type { KernelGroup } from "../lower/kernel-group.js";

/** Running sums and the recurrences of models with states. */
export const group: KernelGroup = {
  module: { code, kernels },
  ops: { scan: lowerScan },
  composites: { selectiveScan: lowerSelectiveScan, wkv: lowerWkv },
};
