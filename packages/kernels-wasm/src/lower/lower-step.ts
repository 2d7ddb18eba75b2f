import { type Plan, runReferenceStep, type Step } from "@weft/tensor-core";
import { COMPOSITES } from "./composites.js";
import type { LowerContext, Run } from "./context.js";
import { lowerFused } from "./fused.js";
import { isPackedValues } from "./packed-values.js";
import { groupOf } from "./groups.js";
import type { LowerOp } from "./kernel-group.js";
import { OPS } from "./ops.js";

/** How a step runs in one memory. */
export interface LoweredStep {
  readonly run: Run;
  /** It runs by the reference kernel, which sees whole buffers. */
  readonly plain: boolean;
}

/** How a primitive runs; its group is loaded. */
export function lowerOp(op: string): LowerOp | undefined {
  const found = OPS[op];
  return typeof found === "string" ? groupOf(found).ops![op] : found;
}

/** @param plan whose groups are loaded */
export function lowerStep(step: Step, plan: Plan, context: LowerContext): LoweredStep {
  if (step.kind === "composite") return { run: groupOf(COMPOSITES.get(step.op)!.group).composites![step.op]!(step, context), plain: false };
  const values = isPackedValues(step) ? groupOf("packed").fused!(step, context) : undefined;
  const run = values ?? (step.kind === "fused" ? lowerFused(step, context) : lowerOp(step.op)?.(step, context));
  if (run) return { run, plain: false };
  const { memory } = context;
  return {
    run: (addresses) =>
      runReferenceStep((id) => memory.bytes.subarray(addresses[id]! >>> 0, (addresses[id]! >>> 0) + plan.buffers[id]!.bytes), step),
    plain: true,
  };
}
