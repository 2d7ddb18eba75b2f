import { describe, expect, it } from "vitest";
import type { Tensor } from "../graph.js";
import { tensor } from "../ops/index.js";
import type { Plan } from "../plan/plan.js";
import { operandBytes } from "../plan/operand.js";
import { planGraph } from "../plan/plan-graph.js";
import { gradients, vjp } from "../transforms/grad.js";
import { layerNorm, rmsNorm, softmax } from "./norm.js";
import { softmaxCrossEntropy } from "./loss.js";
import { sgdStep } from "./optimizer.js";
import { rope } from "./rope.js";

const make = (shape: readonly number[], seed = 1): Tensor =>
  tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i * 0.7 + seed)),
    { shape },
  );
const [rows, n] = [64, 96];
const [x, weight, bias, dy] = [make([rows, n]), make([n], 2), make([n], 3), make([rows, n], 4)];
const labels = tensor(Int32Array.from({ length: rows }, (_, i) => (i % 5 === 0 ? -100 : i)));
const [heads, cos, sin, dHeads] = [make([2, 4, 8, 16]), make([1, 8, 16], 2), make([1, 8, 16], 3), make([2, 4, 8, 16], 4)];

/** What a graph takes where no backend has a kernel for any composite. */
function plan(...outputs: Tensor[]): Plan {
  return planGraph(outputs, [], () => false).plan;
}

/**
 * Composites that need no kernel: the fuser makes as few calls of them as a kernel could. A kernel for one is worth having only if it
 * beats these numbers.
 */
const PROGRAMS: Record<string, () => readonly [outputs: Tensor[], steps: number]> = {
  softmax: () => [[softmax(x)], 1],
  "softmax, gradient": () => [vjp([softmax(x)], [dy], [x]), 1],
  rmsNorm: () => [[rmsNorm(x, weight, 1e-5)], 1],
  "rmsNorm, gradient of x": () => [vjp([rmsNorm(x, weight, 1e-5)], [dy], [x]), 1],
  layerNorm: () => [[layerNorm(x, weight, bias, 1e-5)], 1],
  "layerNorm, gradient of x": () => [vjp([layerNorm(x, weight, bias, 1e-5)], [dy], [x]), 1],
  sgdStep: () => {
    const next = sgdStep({ p: x, g: dy, lr: tensor(0.1), buffer: make([rows, n], 5) }, { momentum: 0.9, nesterov: true, weightDecay: 0.1 });
    return [[next.p, next.buffer!], 1];
  },
  // The weights of the rows, everything over the rows, the sum.
  softmaxCrossEntropy: () => [[softmaxCrossEntropy(x, labels)], 3],
  "softmaxCrossEntropy with its gradient": () => {
    const loss = softmaxCrossEntropy(x, labels);
    return [[loss, ...gradients(loss, [x])], 3];
  },
  // The signed sine [1, T, d] is shared by all calls, so it is a step of its own.
  rope: () => [[rope(heads, cos, sin)], 2],
  "rope, gradient of x": () => [vjp([rope(heads, cos, sin)], [dHeads], [heads]), 2],
};

describe("a composite without a kernel of its own", () => {
  it.each(Object.entries(PROGRAMS))("%s: few steps, and no scratch of the size of its operands", (_, build) => {
    const [outputs, steps] = build();
    const { steps: made, scratchBytes } = plan(...outputs);
    expect(made.map((step) => step.kind)).toEqual(Array.from({ length: steps }, () => "fused"));
    const largest = Math.max(...made.flatMap((step) => step.inputs.map(operandBytes)));
    expect(scratchBytes).toBeLessThan(largest / 4);
  });
});
