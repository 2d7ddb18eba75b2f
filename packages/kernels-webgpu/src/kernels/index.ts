import { CapabilityError, type Step } from "@weft/tensor-core";
import { adamwStep } from "./adamw-step/adamw-step.wgsl.js";
import { argsort } from "./argsort/argsort.wgsl.js";
import { argreduce } from "./argreduce/argreduce.wgsl.js";
import { attention } from "./attention/attention.wgsl.js";
import { attentionBackward } from "./attention-backward/attention-backward.wgsl.js";
import { blockRotate } from "./block-rotation/block-rotation.wgsl.js";
import { cayley, inverse } from "./cayley/cayley.wgsl.js";
import { columnSum } from "./column-sum/column-sum.wgsl.js";
import { concat } from "./concat/concat.wgsl.js";
import { conv } from "./conv/conv.wgsl.js";
import { weightNorm } from "./dora-norm/dora-norm.wgsl.js";
import { lowerFused } from "./fused/fused.js";
import { gather } from "./gather/gather.wgsl.js";
import { globalNorm } from "./global-norm/global-norm.wgsl.js";
import { kronLinear } from "./kron/kron-linear.wgsl.js";
import { loraFactorGradients, loraLinearBackward } from "./lora-backward/lora-backward.wgsl.js";
import { loraLinear } from "./lora-linear/lora-linear.wgsl.js";
import { matmul } from "./matmul/matmul.wgsl.js";
import { mergeLowRank } from "./merge-low-rank/merge-low-rank.wgsl.js";
import { dynamicSlice } from "./moving-box/dynamic-slice.wgsl.js";
import { update } from "./moving-box/update.wgsl.js";
import { normWeightGradient } from "./norm-weight-gradient/norm-weight-gradient.wgsl.js";
import { multiLora } from "./multi-lora/multi-lora.wgsl.js";
import { pad } from "./pad/pad.wgsl.js";
import { quantLinear } from "./quant-linear/quant-linear.wgsl.js";
import { random } from "./random/random.wgsl.js";
import { scan } from "./scan/scan.wgsl.js";
import { scatterAdd } from "./scatter-add/scatter-add.wgsl.js";
import { selectiveScan } from "./selective-scan/selective-scan.wgsl.js";
import { topK } from "./top-k/top-k.wgsl.js";
import { wkv } from "./wkv/wkv.wgsl.js";
import { splitStep } from "./split.js";
import type { CompositeKernel, Dispatch, Kernel, LowerContext } from "./kernel.js";

/** Kernels by primitive and by composite. A new kernel is a folder beside this file and a row here. */
export interface KernelTable {
  readonly ops: Readonly<Record<string, Kernel>>;
  /** Without a row here a composite runs as its decomposition. */
  readonly composites: Readonly<Record<string, CompositeKernel>>;
}

/** The kernels of the GPU backend by primitive and composite. */
export const KERNELS: KernelTable = {
  ops: { matmul, conv, reduce: columnSum, argreduce, pad, concat, gather, scatterAdd, dynamicSlice, update, scan, argsort, random },
  composites: {
    adamwStep,
    attention,
    attentionBackward,
    blockRotate,
    cayley,
    globalNorm,
    inverse,
    kronLinear,
    loraFactorGradients,
    loraLinear,
    loraLinearBackward,
    mergeLowRank,
    multiLora,
    normWeightGradient,
    quantLinear,
    selectiveScan,
    topK,
    weightNorm,
    wkv,
  },
};

/** The dispatches of one step of a plan. */
export function lowerStep(step: Step, context: LowerContext, table: KernelTable): Dispatch[] {
  return splitStep(step, context).flatMap((piece) => lowerPiece(piece, context, table));
}

function lowerPiece(step: Step, context: LowerContext, table: KernelTable): Dispatch[] {
  if (step.kind === "fused") return lowerFused(step.program, step.inputs, step.outputs, context);
  const kernel = step.kind === "op" ? table.ops[step.op] : table.composites[step.op]?.lower;
  if (!kernel)
    throw new CapabilityError(`the WebGPU backend has no kernel for the ${step.kind === "op" ? "primitive" : "composite"} "${step.op}"`, {
      kind: "no-kernel",
    });
  if (step.outputs.every((o) => o.shape.some((d) => d === 0))) return [];
  return kernel(step, context);
}
