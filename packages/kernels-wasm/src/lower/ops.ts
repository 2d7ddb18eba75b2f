import type { LowerContext, Run } from "./context.js";
import { lowerArgReduce } from "../kernels/arg-reduce/lower-arg-reduce.js";
import { lowerArgSort } from "../kernels/arg-sort/lower-arg-sort.js";
import { lowerColumnSum } from "../kernels/column-sum/lower-column-sum.js";
import { lowerConv } from "../kernels/conv/lower-conv.js";
import { lowerGather } from "../kernels/gather/lower-gather.js";
import { lowerDynamicSlice } from "../kernels/moving-box/lower-dynamic-slice.js";
import { lowerUpdate } from "../kernels/moving-box/lower-update.js";
import { lowerMatmul } from "../kernels/product/lower-product.js";
import { lowerRandom } from "../kernels/random/lower-random.js";
import { lowerScan } from "../kernels/scan/lower-scan.js";
import { lowerScatterAdd } from "../kernels/scatter-add/lower-scatter-add.js";
import { lowerConcat, lowerPad } from "./movement.js";
import type { OpStep } from "./steps.js";

/** How each primitive runs; undefined where a call has no kernel, which then runs by its reference kernel. */
export type LowerOp = (step: OpStep, context: LowerContext) => Run | undefined;

export const OPS: Readonly<Record<string, LowerOp>> = {
  matmul: lowerMatmul,
  conv: lowerConv,
  reduce: lowerColumnSum,
  argreduce: lowerArgReduce,
  pad: lowerPad,
  concat: lowerConcat,
  gather: lowerGather,
  scatterAdd: lowerScatterAdd,
  dynamicSlice: lowerDynamicSlice,
  update: lowerUpdate,
  scan: lowerScan,
  argsort: lowerArgSort,
  random: lowerRandom,
};
