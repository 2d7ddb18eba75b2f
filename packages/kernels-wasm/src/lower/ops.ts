import { lowerMatmul } from "../kernels/product/lower-product.js";
import type { GroupName, LowerOp } from "./kernel-group.js";

/** How each primitive runs that is no part of a fused program: products by what is always there, others by the group that has them. */
export const OPS: Readonly<Record<string, LowerOp | GroupName>> = {
  matmul: lowerMatmul,
  argreduce: "model",
  concat: "model",
  dynamicSlice: "model",
  gather: "model",
  pad: "model",
  update: "model",
  random: "training",
  reduce: "training",
  scatterAdd: "training",
  argsort: "further",
  conv: "further",
  scan: "recurrent",
};
