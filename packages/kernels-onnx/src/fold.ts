import { type BufferSpec, isFloat, type Operand, type Plan, type Step } from "@weft/tensor-core";
import { FEW_ROWS, secondFactor } from "./lower/constants.js";

/** A plan in two: what comes out the same at every run, if there is any, and what is left, whose inputs are those of the plan and then the outputs of `once`. */
export interface Folded {
  readonly once?: Plan;
  readonly rest: Plan;
  /** The outputs of `once`, as the plan numbers them. */
  readonly folded: readonly number[];
}

/**
 * What a step reads that is made once if it can be: packed weights, factors of products with few rows, which are packed, and of any product those that are
 * decoded: that takes longer than all else.
 */
function madeOnce(step: Step, decoded: ReadonlySet<number>): readonly Operand[] {
  if (step.kind === "composite") return step.op === "affineLinear" ? step.inputs.slice(1) : [];
  const product = secondFactor(step);
  return product && (product.rows <= FEW_ROWS || decoded.has(product.factor.buffer)) ? [product.factor] : [];
}

/** Finds the steps that need nothing but frozen inputs and make what is made once; other such steps stay: what they make is as large as what they read, or larger. */
export function foldConstants(plan: Plan, frozen: ReadonlySet<number>): Folded {
  const { steps } = plan;
  const maker = new Map<number, Step>();
  const fixed = new Set(frozen);
  // Floats that are made of integers: codes of a format.
  const decoded = new Set<number>();
  for (const step of steps) {
    if (!step.inputs.every(({ buffer }) => fixed.has(buffer))) continue;
    const codes = step.inputs.some(({ buffer, dtype }) => !isFloat(dtype) || decoded.has(buffer));
    for (const { buffer } of step.outputs) {
      if (plan.buffers[buffer]!.role !== "scratch") continue;
      fixed.add(buffer);
      if (codes) decoded.add(buffer);
      maker.set(buffer, step);
    }
  }
  const wanted = new Map<number, Operand>();
  for (const step of steps) {
    if (step.outputs.every(({ buffer }) => maker.has(buffer))) continue;
    for (const o of madeOnce(step, decoded))
      if (maker.has(o.buffer))
        wanted.set(
          o.buffer,
          maker.get(o.buffer)!.outputs.find((made) => made.buffer === o.buffer)!,
        );
  }
  if (wanted.size === 0) return { rest: plan, folded: [] };
  const folded = [...wanted.keys()];
  const once = stepsFor(steps, folded, []);
  const rest = stepsFor(
    steps,
    plan.outputs.map(({ buffer }) => buffer),
    folded,
  );
  const reads = new Set(once.flatMap((step) => step.inputs.map(({ buffer }) => buffer)));
  const roles = (role: "input" | "output"): BufferSpec[] =>
    plan.buffers.map((spec, id) => (wanted.has(id) ? { role, bytes: spec.bytes } : spec));
  return {
    folded,
    once: {
      ...plan,
      buffers: roles("output"),
      steps: once,
      inputs: [...frozen].filter((id) => reads.has(id)),
      outputs: [...wanted.values()],
    },
    rest: { ...plan, buffers: roles("input"), steps: rest, inputs: [...plan.inputs, ...folded] },
  };
}

/** The steps that make these buffers, given others. */
function stepsFor(steps: readonly Step[], buffers: readonly number[], given: readonly number[]): Step[] {
  const needed = new Set(buffers);
  const there = new Set(given);
  const found: Step[] = [];
  for (let i = steps.length - 1; i >= 0; i--) {
    const step = steps[i]!;
    if (!step.outputs.some(({ buffer }) => needed.has(buffer) && !there.has(buffer))) continue;
    found.unshift(step);
    for (const { buffer } of step.inputs) needed.add(buffer);
  }
  return found;
}
