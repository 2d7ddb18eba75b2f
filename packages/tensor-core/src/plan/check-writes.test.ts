import { describe, expect, it } from "vitest";
import { tensor } from "../ops/create.js";
import { exp, mul } from "../ops/elementwise.js";
import { matmul } from "../ops/linear.js";
import type { Plan, Step } from "./plan.js";
import { checkWrites } from "./check-writes.js";
import { planGraph } from "./plan-graph.js";

const x = tensor([1, 2, 3, 4], { shape: [2, 2] });
const { plan } = planGraph([exp(matmul(mul(x, 2), x)), x], [], () => false);
const withSteps = (change: (steps: Step[]) => Step[]): Plan => ({ ...plan, steps: change([...plan.steps]) });

describe("a plan is refused", () => {
  it("not if every result is written", () => expect(() => checkWrites(plan)).not.toThrow());
  it("if a result is written by no step", () =>
    expect(() => checkWrites(withSteps((steps) => steps.slice(0, -1)))).toThrow(/output buffer \d+ is written by no step/));
  it("if scratch is read before it is written", () =>
    expect(() => checkWrites(withSteps((steps) => steps.slice(1)))).toThrow(/scratch buffer \d+ is read before/));
  it("if a buffer is written twice", () =>
    expect(() => checkWrites(withSteps((steps) => [...steps, steps[0]!]))).toThrow(/is written twice/));
  it("if a part of a result is not written", () => {
    const part = (step: Step): Step => ({ ...step, outputs: step.outputs.map((o) => ({ ...o, shape: [1, 2] })) }) as Step;
    expect(() => checkWrites(withSteps((steps) => [...steps.slice(0, -1), part(steps.at(-1)!)]))).toThrow(/is written in part/);
  });
  it("if a result lies in an input, or in another result", () => {
    const [first, second] = plan.outputs;
    expect(() => checkWrites({ ...plan, outputs: [first!, { ...second!, buffer: plan.inputs[0]! }] })).toThrow(
      /input buffer \d+ is not one/,
    );
    expect(() => checkWrites({ ...plan, outputs: [first!, first!] })).toThrow(/is not one result's own/);
  });
});
