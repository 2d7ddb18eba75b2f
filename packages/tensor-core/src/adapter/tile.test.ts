import { describe, expect, it } from "vitest";
import { mergeLowRank } from "../composites/lora-linear.js";
import { tensor } from "../ops/create.js";
import { add, mul } from "../ops/elementwise.js";
import { norm } from "../ops/reduce.js";
import { reshape, rows } from "../ops/movement.js";
import { explainPlan } from "../explain.js";
import { planGraph } from "../schedule/plan-graph.js";
import { referenceDevice } from "../device.js";
import type { Tensor } from "../graph.js";
import { substitute } from "../transforms/rewrite.js";
import { tileRows } from "./tile.js";

const values = (n: number): Float32Array => Float32Array.from({ length: n }, (_, i) => Math.sin(i * 1.7));
const W = tensor(values(6 * 4), { shape: [6, 4] });
const A = tensor(values(2 * 4), { shape: [2, 4] });
const B = tensor(values(6 * 2), { shape: [6, 2] });
const magnitude = tensor(values(6), { shape: [6] });

async function agrees(f: (w: Tensor) => Tensor): Promise<string> {
  const tile = tileRows(f, W, 2, 5)!;
  expect(tile).toBeDefined();
  const [bound] = substitute([tile.output], [tile.input], [rows(W, 2, 5)]) as [Tensor];
  const want = await rows(f(W), 2, 5).data();
  const got = await bound.data();
  want.forEach((v, i) => expect(got[i]).toBeCloseTo(v, 6));
  return explainPlan(planGraph([tile.output], [tile.input], () => false).plan);
}

describe("rows of a function of a large tensor", () => {
  it("of a low-rank merge read only those rows of W and B", async () => {
    expect(referenceDevice().name).toBe("reference");
    const plan = await agrees((w) => mergeLowRank(w, A, B, { scale: 0.5 }));
    expect(plan).toContain("f32[3,4]");
    expect(plan).not.toContain("f32[6,4]");
  });
  it("of DoRA: norms of rows need those rows alone", async () => {
    const plan = await agrees((w) => {
      const sum = mergeLowRank(w, A, B, { scale: 1 });
      return mul(sum, reshape(mul(magnitude, norm(sum, { axes: [1] })), [6, 1]));
    });
    expect(plan).not.toContain("f32[6,4]");
  });
  it("are refused where a row needs all rows", () => {
    expect(tileRows((w) => add(w, norm(w, { axes: [0] })), W, 0, 3)).toBeUndefined();
  });
});
