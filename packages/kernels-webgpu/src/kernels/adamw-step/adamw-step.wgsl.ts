import { logBeta, type Operand, sizeOf } from "@weft/tensor-core";
import { mapBody } from "../../wgsl/map.js";
import { operation } from "../../wgsl/library.js";
import { Shader } from "../../wgsl/shader.js";
import type { CompositeKernel, Dispatch, LowerContext } from "../kernel.js";

/** Buffers of the kernel that makes its factors itself: four states, lr, t and three results. */
const ALL_BUFFERS = 9;

/**
 * `adamwStep` in one kernel per parameter, or in two on a GPU that binds 8 buffers only: the factors that depend on lr and t then come
 * first. The decomposition takes three or four, since fused programs have 6 loads at most.
 */
export const adamwStep: CompositeKernel = {
  claims: ({ inputs }) => inputs.every((i) => i.dtype === "f32"),
  lower({ inputs, outputs, attrs }, context) {
    const [p, g, m, v, lr, step] = inputs as [Operand, Operand, Operand, Operand, Operand, Operand];
    const [beta1, beta2, eps, decay] = [attrs.beta1, attrs.beta2, attrs.eps, attrs.weightDecay] as [number, number, number, number];
    const alone = context.limits.maxStorageBuffers >= ALL_BUFFERS;
    const shader = new Shader("adamwStep", context);
    const dispatches: Dispatch[] = [];
    let factors: readonly string[];
    if (alone) factors = factorsOf(shader, lr, step, beta1, beta2, decay);
    else {
      const kept = context.temporary([3], "f32");
      dispatches.push(storeFactors(kept, lr, step, beta1, beta2, decay, context));
      factors = [0, 1, 2].map((i) => shader.input(kept).load(`${i}u`));
    }
    const [rate, root, shrink] = factors as [string, string, string];
    const f = (value: number): string => shader.f32(value);
    const load = (o: Operand): string => shader.input(o).load(`${shader.u32(o.offset)} + i`);
    const { body, groups } = mapBody(shader, outputs, sizeOf(p.shape), () => ({
      text: `let g = ${load(g)};
let m = ${load(m)} * ${f(beta1)} + g * ${f(1 - beta1)};
let v = ${load(v)} * ${f(beta2)} + g * g * ${f(1 - beta2)};
let p = ${load(p)} * (${shrink}) - ${rate} * (m / (sqrt(v) / ${root} + ${f(eps)}));`,
      values: ["p", "m", "v"],
    }));
    return [...dispatches, shader.dispatch(body, groups)];
  },
};

/** WGSL for lr / (1 - β₁ᵗ), √(1 - β₂ᵗ) and 1 - lr·decay. */
function factorsOf(shader: Shader, lr: Operand, step: Operand, beta1: number, beta2: number, decay: number): string[] {
  const scalar = (o: Operand): string => shader.input(o).load(shader.u32(o.offset));
  // -tanh(y/2)·(eʸ + 1) with y = t·ln β: the difference would lose the digits that βᵗ and 1 share.
  const bias = (beta: number): string => {
    const y = `(${scalar(step)} * ${shader.f32(logBeta(beta))})`;
    return `(-${operation("tanh", "f32", [`${y} * 0.5`])} * (${operation("exp", "f32", [y])} + 1.0))`;
  };
  return [`(${scalar(lr)} / ${bias(beta1)})`, `sqrt(${bias(beta2)})`, `1.0 - ${scalar(lr)} * ${shader.f32(decay)}`];
}

function storeFactors(
  kept: Operand,
  lr: Operand,
  step: Operand,
  beta1: number,
  beta2: number,
  decay: number,
  context: LowerContext,
): Dispatch {
  const shader = new Shader("adamwStep factors", context);
  const values = factorsOf(shader, lr, step, beta1, beta2, decay);
  const out = shader.output(kept);
  return shader.dispatch(`if (tid != 0u) { return; }\n${values.map((v, i) => out.store(`${i}u`, v)).join("\n")}`, 1);
}
