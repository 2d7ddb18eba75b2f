import { describe, expect, it } from "vitest";
import { referenceDevice } from "../device.js";
import { explainPlan } from "../explain.js";
import type { Tensor } from "../graph.js";
import { matmul } from "../ops/linear.js";
import { tanh } from "../ops/elementwise.js";
import { sum } from "../ops/reduce.js";
import type { Plan } from "../plan/plan.js";
import { planGraph } from "../plan/plan-graph.js";
import { sample } from "../testing/case.js";
import { valuesOf } from "../testing/evaluate.js";
import { checkpoint } from "./checkpoint.js";
import { gradients } from "./grad.js";

const [ROWS, WIDTH, INNER, LAYERS] = [32, 8, 6, 6];

/** The gradients of a chain of layers, each of which makes several large tensors out of a small one. */
function gradientsOfChain(wrap: (layer: (x: Tensor) => Tensor) => (x: Tensor) => Tensor): Tensor[] {
  const device = referenceDevice();
  const weights = Array.from({ length: LAYERS }, (_, i) => [
    sample(device, [WIDTH, WIDTH * INNER], "f32", 2 * i + 1),
    sample(device, [WIDTH * INNER, WIDTH], "f32", 2 * i + 2),
  ]) as [Tensor, Tensor][];
  const x = sample(device, [ROWS, WIDTH], "f32", 99);
  const y = weights.reduce((h, [up, down]) => wrap((t) => tanh(matmul(tanh(matmul(t, up)), down)))(h), x);
  return gradients(sum(y), [x, ...weights.flat()]);
}

const planOf = (outputs: readonly Tensor[]): Plan => planGraph(outputs, [], () => false).plan;
const products = ({ steps }: Plan): number => steps.filter((s) => s.kind === "op" && s.op === "matmul").length;

describe("checkpoint", () => {
  const [plain, saving] = [gradientsOfChain((f) => f), gradientsOfChain(checkpoint)];
  it("keeps the large tensors of one layer instead of all, and computes them again", () => {
    const [all, some] = [planOf(plain), planOf(saving)];
    const layer = ROWS * WIDTH * INNER * 4;
    // Without it one large tensor per layer waits for the backward pass; with it those of a single layer exist.
    expect(all.scratchBytes).toBeGreaterThanOrEqual(LAYERS * layer);
    expect(some.scratchBytes).toBeLessThan(all.scratchBytes - (LAYERS - 3) * layer);
    expect(some.peakBytes).toBeLessThan(all.peakBytes);
    expect(explainPlan(some)).toContain(`peak ${some.peakBytes} B`);
    expect(products(some)).toBeGreaterThan(products(all));
  });
  it("leaves the gradients equal, bit for bit", async () => {
    expect(await valuesOf(referenceDevice(), saving)).toEqual(await valuesOf(referenceDevice(), plain));
  });
});
