import { deviceOf } from "./device.js";
import type { Tensor } from "./graph.js";
import type { Operand, Plan, Step } from "./plan/plan.js";
import { operandBytes } from "./plan/operand.js";
import { stepName } from "./plan/step-name.js";
import { planGraph } from "./plan/plan-graph.js";
import { withFootprint } from "./plan/with-footprint.js";
import { sizeOf } from "./shape.js";

/** Work of one step. */
export interface StepCost {
  readonly name: string;
  /** Floating-point operations (a multiply-add is two). */
  readonly flops: number;
  /** Bytes read and written. */
  readonly bytes: number;
}

/** Flops and bytes of a step, from its shapes. */
export function stepCost(step: Step): StepCost {
  const bytes = [...step.inputs, ...step.outputs].reduce((sum, o) => sum + operandBytes(o), 0);
  const flops =
    step.kind === "fused"
      ? step.program.instructions.filter((i) => !["load", "const", "index", "cast"].includes(i.op)).length * sizeOf(step.program.shape)
      : step.flops;
  return { name: stepName(step), flops, bytes };
}

const view = ({ dtype, shape }: Operand): string => `${dtype}[${shape}]`;

/** A plan as text: one line per kernel call with shapes, flops and bytes, then totals and the peak of memory. */
export function explainPlan(plan: Plan): string {
  const costs = plan.steps.map(stepCost);
  const lines = plan.steps.map((step, i) => {
    const { name, flops, bytes } = costs[i]!;
    return `${String(i).padStart(4)}  ${name}  ${step.inputs.map(view).join(" ")} → ${step.outputs.map(view).join(" ")}  ${flops} flop  ${bytes} B`;
  });
  const total = costs.reduce((sum, c) => ({ flops: sum.flops + c.flops, bytes: sum.bytes + c.bytes }), { flops: 0, bytes: 0 });
  return [
    ...lines,
    `${plan.steps.length} kernels, ${total.flops} flop, ${total.bytes} B moved, peak ${plan.peakBytes} B (scratch ${plan.scratchBytes} B)`,
  ].join("\n");
}

/** The plan that evaluating these tensors would run, as text, with the peak that it has on their device. */
export function explain(...tensors: Tensor[]): string {
  const { backend } = deviceOf(tensors);
  const { plan } = planGraph(tensors, [], (call) => backend.claims(call));
  return explainPlan(backend.footprint ? withFootprint(plan, backend.footprint(plan)) : plan);
}
