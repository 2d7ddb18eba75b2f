import type { Context, OpStep } from "./context.js";
import { lowerConv } from "./conv.js";
import { lowerGather, lowerScatterAdd } from "./indexing.js";
import { lowerMatmul } from "./matmul.js";
import { lowerConcat, lowerPad } from "./movement.js";
import { lowerDynamicSlice, lowerUpdate } from "./moving-box.js";
import { lowerArgReduce, lowerArgSort } from "./order.js";
import { lowerRandom } from "./random.js";
import { lowerReduce } from "./reduce.js";
import { lowerScan } from "./scan.js";

/** How a step of each primitive that is not elementwise becomes nodes. Outputs have elements: steps without any are left out. */
export const OPS: Readonly<Record<string, (step: OpStep, context: Context) => void>> = {
  matmul: lowerMatmul,
  conv: lowerConv,
  reduce: lowerReduce,
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
