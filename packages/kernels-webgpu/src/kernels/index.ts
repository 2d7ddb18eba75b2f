import { CapabilityError, type Step } from "@weft/tensor-core";
import { lowerFused } from "./fused/fused.js";
import type { CompositeKernel, Dispatch, Kernel, LowerContext } from "./kernel.js";

/** Kernels by primitive and by composite. A new kernel is a folder beside this file and a row here. */
export interface KernelTable {
  readonly ops: Readonly<Record<string, Kernel>>;
  /** Without a row here a composite runs as its decomposition. */
  readonly composites: Readonly<Record<string, CompositeKernel>>;
}

export const KERNELS: KernelTable = {
  ops: {},
  composites: {},
};

/** The dispatches of one step of a plan. */
export function lowerStep(step: Step, context: LowerContext, table: KernelTable): Dispatch[] {
  if (step.kind === "fused") return lowerFused(step.program, step.inputs, step.outputs, context);
  const kernel = step.kind === "op" ? table.ops[step.op] : table.composites[step.op]?.lower;
  if (!kernel) throw new CapabilityError(`the WebGPU backend has no kernel for the ${step.kind === "op" ? "primitive" : "composite"} "${step.op}"`, { kind: "no-kernel" });
  if (step.outputs.every((o) => o.shape.some((d) => d === 0))) return [];
  return kernel(step, context);
}
