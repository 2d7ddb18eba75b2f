import { bytesPerElement } from "./dtype.js";
import { deviceOf } from "./evaluate.js";
import type { Tensor } from "./graph.js";
import type { Operand, Plan, Program, Step } from "./plan/plan.js";
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

/** Bytes of the elements that an operand refers to; one that is repeated counts once. */
function distinctBytes({ dtype, shape, strides }: Operand): number {
  return sizeOf(shape.filter((_, i) => strides[i] !== 0)) * bytesPerElement(dtype);
}

/** Operations of a fused loop: an instruction counts once per element, or once per row where its operands are the same along the row. */
function programFlops({ shape, reduced, instructions }: Program, inputs: readonly Operand[]): number {
  const lead = shape.length - reduced;
  const [all, rows] = [sizeOf(shape), sizeOf(shape.slice(0, lead))];
  /** How often the value of each instruction is another one. */
  const times: number[] = [];
  let flops = 0;
  for (const i of instructions) {
    if (i.op === "const") times.push(0);
    else if (i.op === "index") times.push(i.axis < lead ? rows : all);
    else if (i.op === "load") times.push(inputs[i.input]!.strides.slice(lead).every((s) => s === 0) ? rows : all);
    else {
      const most = Math.max(...[i.a, "b" in i ? i.b : i.a, "c" in i ? i.c : i.a].map((at) => times[at]!));
      times.push(i.op === "reduce" ? rows : most);
      if (i.op !== "cast" && i.op !== "bitcast" && i.op !== "lookup") flops += i.op === "reduce" ? all : most;
    }
  }
  return flops;
}

/** Flops and bytes of a step, from its shapes. */
export function stepCost(step: Step): StepCost {
  const bytes = [...step.inputs, ...step.outputs].reduce((sum, o) => sum + distinctBytes(o), 0);
  return { name: stepName(step), flops: step.kind === "fused" ? programFlops(step.program, step.inputs) : step.flops, bytes };
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
export async function explain(...tensors: Tensor[]): Promise<string> {
  const { backend } = deviceOf(tensors);
  const { plan } = planGraph(tensors, [], (call) => backend.claims(call));
  return explainPlan(backend.footprint ? withFootprint(plan, await backend.footprint(plan)) : plan);
}
