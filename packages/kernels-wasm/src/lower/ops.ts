import type { Step } from "@weft/tensor-core";
import type { LowerContext, Run } from "./context.js";
import { lowerConv } from "./conv.js";
import { lowerArgReduce, lowerCumsum, lowerGather, lowerRandom, lowerScatterAdd } from "./indexed.js";
import { lowerMatmul } from "./matmul.js";
import { lowerConcat, lowerPad } from "./movement.js";

/** How each primitive runs; undefined where a call has no kernel, which then runs by its reference kernel. */
export type LowerOp = (step: Step & { readonly kind: "op" }, context: LowerContext) => Run | undefined;

export const OPS: Readonly<Record<string, LowerOp>> = {
  matmul: lowerMatmul,
  conv: lowerConv,
  argreduce: lowerArgReduce,
  pad: lowerPad,
  concat: lowerConcat,
  gather: lowerGather,
  scatterAdd: lowerScatterAdd,
  cumsum: lowerCumsum,
  random: lowerRandom,
};
