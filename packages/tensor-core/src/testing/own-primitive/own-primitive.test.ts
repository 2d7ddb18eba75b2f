import { afterAll, beforeAll, expect, it } from "vitest";
import { applyPrimitive } from "../../apply-primitive.js";
import type { Tensor } from "../../graph.js";
import * as o from "../../ops/index.js";
import { planGraph } from "../../plan/plan-graph.js";
import { PRIMITIVES } from "../../primitives/index.js";
import type { Primitive } from "../../primitives/primitive.js";
import { gradients } from "../../transforms/grad.js";
import { roll } from "./roll.js";

// Outside of a test this is the line in primitives/index.ts.
const list = PRIMITIVES as Record<string, Primitive>;
beforeAll(() => void (list.roll = roll));
afterAll(() => void delete list.roll);

const rolled = (x: Tensor, by: number): Tensor => applyPrimitive("roll", [x], { axis: 1, by });
const x = o.tensor([
  [1, 2, 3, 4],
  [5, 6, 7, 8],
]);

it("its definition is all that the core needs: to compute, among other operations", async () => {
  expect([...(await o.mul(rolled(x, 1), 2).data())]).toEqual([8, 2, 4, 6, 16, 10, 12, 14]);
});

it("… for gradients", async () => {
  const weights = o.tensor([
    [1, 10, 100, 1000],
    [2, 20, 200, 2000],
  ]);
  const [dx] = gradients(o.sum(o.mul(rolled(x, 3), weights)), [x]);
  expect([...(await dx!.data())]).toEqual([1000, 1, 10, 100, 2000, 2, 20, 200]);
});

it("… and for slices, which compute no more than they take", async () => {
  const row = o.slice(rolled(o.mul(x, 1.5), 1), [
    [1, 2],
    [0, 2],
  ]);
  const [step] = planGraph([row], [], () => false).plan.steps.filter((s) => s.kind === "op");
  expect(step).toMatchObject({ op: "roll", flops: 0, outputs: [{ shape: [1, 4] }] });
  expect([...(await row.data())]).toEqual([12, 7.5]);
});
