import { deviceOf } from "./device.js";
import type { Tensor } from "./graph.js";
import type { Operand, Plan, Step } from "./plan/plan.js";
import { operandBytes } from "./plan/operand.js";
import { stepName } from "./plan/step-name.js";
import { planGraph } from "./plan/plan-graph.js";
import { sizeOf } from "./shape.js";

/** Work of one step. */
export interface StepCost {
  readonly name: string;
  /** Floating-point operations (a multiply-add is two). */
  readonly flops: number;
  /** Bytes read and written. */
  readonly bytes: number;
}

const FLOPS: Readonly<Record<string, (step: Step) => number>> = {
  matmul: ({ inputs, outputs }) => 2 * sizeOf(outputs[0]!.shape) * inputs[0]!.shape[inputs[0]!.shape.length - 1]!,
  conv: ({ inputs, outputs }) => 2 * sizeOf(outputs[0]!.shape) * sizeOf(inputs[1]!.shape.slice(1)),
  loraLinear: ({ inputs: [x, w, a] }) =>
    2 * (sizeOf(x!.shape) * w!.shape[0]! + (sizeOf(x!.shape) / a!.shape[1]!) * a!.shape[0]! * (a!.shape[1]! + w!.shape[0]!)),
  mergeLowRank: ({ inputs: [w, a] }) => 2 * sizeOf(w!.shape) * (a!.shape[0]! + 1),
  attention: ({ inputs: [q, k] }) => 4 * sizeOf(q!.shape) * k!.shape[2]!,
  attentionBackward: ({ inputs: [q, k] }) => 10 * sizeOf(q!.shape) * k!.shape[2]!,
  loraLinearBackward: ({ inputs: [dy, w, a] }) => 2 * dy!.shape[0]! * (sizeOf(w!.shape) + a!.shape[0]! * (w!.shape[0]! + w!.shape[1]!)),
  loraFactorGradients: ({ inputs: [dy, x, a] }) => 4 * a!.shape[0]! * (sizeOf(dy!.shape) + sizeOf(x!.shape)),
  normWeightGradient: ({ inputs: [x] }) => 4 * sizeOf(x!.shape),
  adamwStep: ({ inputs: [p] }) => 15 * sizeOf(p!.shape),
  globalNorm: ({ inputs }) => inputs.reduce((sum, x) => sum + 2 * sizeOf(x.shape), 0),
  topK: ({ inputs: [x], outputs: [values] }) => values!.shape[values!.shape.length - 1]! * sizeOf(x!.shape),
};

/** Flops and bytes of a step, from its shapes. */
export function stepCost(step: Step): StepCost {
  const bytes = [...step.inputs, ...step.outputs].reduce((sum, o) => sum + operandBytes(o), 0);
  const arithmetic =
    step.kind === "fused"
      ? step.program.instructions.filter((i) => !["load", "const", "index", "cast"].includes(i.op)).length * sizeOf(step.program.shape)
      : 0;
  const flops = step.kind === "fused" ? arithmetic : (FLOPS[step.op]?.(step) ?? sizeOf(step.outputs[0]!.shape));
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

/** The plan that evaluating these tensors would run, as text. */
export function explain(...tensors: Tensor[]): string {
  const { backend } = deviceOf(tensors);
  return explainPlan(planGraph(tensors, [], (call) => backend.claims(call)).plan);
}
