import { describe, expect, it } from "vitest";
import { makeNode, Tensor } from "../graph.js";
import { add, exp, mul } from "../ops/elementwise.js";
import { matmul } from "../ops/linear.js";
import { reshape, transpose } from "../ops/movement.js";
import { sum } from "../ops/reduce.js";
import { checkWrites } from "./check-writes.js";
import type { Plan } from "./plan.js";
import { planGraph } from "./plan-graph.js";

const holder = (...shape: number[]): Tensor => new Tensor(makeNode("input", [], {}, [{ shape, dtype: "f32" }]));
/** The plan, and for each output the number of the input that it lies over. */
function planned(outputs: Tensor[], inputs: Tensor[], donated: number[]): { plan: Plan; over: (number | undefined)[] } {
  const { plan } = planGraph(outputs, inputs, () => false, { share: true, donated });
  const specs = plan.outputs.map(({ buffer }) => plan.buffers[buffer]!);
  return {
    plan,
    over: specs.map((spec) => (spec.role === "output" && spec.over !== undefined ? plan.inputs.indexOf(spec.over) : undefined)),
  };
}

describe("an output lies over a donated input", () => {
  const [x, y, z] = [holder(4, 4), holder(4, 4), holder(16)];
  it("if the step that writes it is elementwise and the last to read it", () => {
    expect(planned([mul(add(x, 1), y)], [x, y], [0]).over).toEqual([0]);
    expect(planned([add(x, 1)], [x, y], []).over).toEqual([undefined]);
  });
  it("if it is written after the last step that reads it, whatever that does", () => {
    expect(planned([matmul(matmul(x, y), y)], [x, y], [0]).over).toEqual([0]);
    expect(planned([matmul(x, y)], [x, y], [0]).over).toEqual([undefined]);
    expect(planned([matmul(y, y)], [y, z], [1]).over).toEqual([1]);
  });
  it("but never turned, of another size, twice, or if it is a result itself", () => {
    expect(planned([add(transpose(x), x)], [x], [0]).over).toEqual([undefined]);
    expect(planned([sum(x, { axes: [1] })], [x], [0]).over).toEqual([undefined]);
    expect(planned([add(x, 1), exp(matmul(x, x))], [x], [0]).over.filter((i) => i === 0)).toHaveLength(1);
    expect(planned([add(x, 1), reshape(x, [16])], [x], [0]).over).toEqual([undefined]);
  });
  it("after the steps that compute something else from it", () => {
    const { over, plan } = planned([add(x, y), sum(matmul(x, y))], [x, y], [0]);
    expect(over).toEqual([0, undefined]);
    // The peak counts the state once.
    expect(plan.peakBytes).toBe(2 * 64 + 4 + plan.scratchBytes);
  });
  it("and a plan that says otherwise is refused", () => {
    const { plan } = planned([add(x, 1), sum(matmul(x, y))], [x, y], [0]);
    const writer = plan.steps.find((step) => step.outputs.some(({ buffer }) => buffer === plan.outputs[0]!.buffer))!;
    expect(() => checkWrites({ ...plan, steps: [writer, ...plan.steps.filter((step) => step !== writer)] })).toThrow(
      /read after a step has written over/,
    );
    const kept = plan.buffers.map((b) => (b.role === "input" ? { role: b.role, bytes: b.bytes } : b));
    expect(() => checkWrites({ ...plan, buffers: kept })).toThrow(/may not be written over/);
    const product = planned([matmul(x, y)], [x, y], []).plan;
    const forced = product.buffers.map((b, i) =>
      b.role === "output" ? { ...b, over: 0 } : i === 0 ? { role: "input" as const, bytes: b.bytes, donated: true } : b,
    );
    expect(() => checkWrites({ ...product, buffers: forced })).toThrow(/is read by a step that writes over it/);
  });
});
