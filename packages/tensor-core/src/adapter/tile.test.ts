import { describe, expect, it } from "vitest";
import { mergeLowRank } from "../composites/lora-linear.js";
import { tensor } from "../ops/create.js";
import { add, mul } from "../ops/elementwise.js";
import { matmul } from "../ops/linear.js";
import { max, norm } from "../ops/reduce.js";
import { reshape, rows, slice, transpose } from "../ops/movement.js";
import { explainPlan } from "../explain.js";
import { planGraph } from "../plan/plan-graph.js";
import { referenceDevice } from "../device.js";
import type { Tensor } from "../graph.js";
import { substitute } from "../passes/rewrite.js";
import { mapBox, rowPasses, tileRows } from "./tile.js";

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

/** What a function gives if its sums over rows are added up part by part and its result is made row by row. */
async function inPasses(f: (w: Tensor) => Tensor): Promise<{ sums: number; got: number[] }> {
  const { sums, tile } = rowPasses(f, W);
  const values: Tensor[] = [];
  const bind = (output: Tensor, input: Tensor, start: number, stop: number): Tensor =>
    substitute([output], [input, ...sums.slice(0, values.length).map((s) => s.value)], [rows(W, start, stop), ...values])[0]!;
  for (const { part } of sums) {
    const parts = [
      [0, 4],
      [4, 6],
    ].map(([start, stop]) => {
      const { input, output } = part(start!, stop!);
      return bind(output, input, start!, stop!);
    });
    values.push(add(parts[0]!, parts[1]!));
  }
  const got: number[] = [];
  for (const start of [0, 2, 4]) {
    const { input, output } = tile(start, start + 2)!;
    got.push(...(await bind(output, input, start, start + 2).data()));
  }
  return { sums: sums.length, got };
}

describe("passes over the rows of a large tensor", () => {
  const columns = tensor(values(4), { shape: [4] });
  const update = mergeLowRank(W, A, B, { scale: 1 });
  const CASES: { readonly [name: string]: readonly [sums: number, f: (w: Tensor) => Tensor] } = {
    "no sum over rows": [0, (w) => mergeLowRank(w, A, B, { scale: 1 })],
    "norms of columns": [1, (w) => mul(w, mul(columns, norm(w, { axes: [0] })))],
    "norms of columns of a turned sum": [1, (w) => mul(w, norm(transpose(add(w, update)), { axes: [1] }))],
    "one norm of all": [1, (w) => mul(w, norm(w))],
    "norms of rows and of columns": [1, (w) => mul(mul(w, norm(w, { axes: [1], keepDims: true })), norm(w, { axes: [0] }))],
    "norms of columns of what norms of columns scale": [
      2,
      (w) => {
        const scaled = mul(add(w, 1), norm(w, { axes: [0] }));
        return mul(scaled, norm(scaled, { axes: [0] }));
      },
    ],
  };

  it.each(Object.entries(CASES))("%s", async (_, [count, f]) => {
    const { sums, got } = await inPasses(f);
    expect(sums).toBe(count);
    (await f(W).data()).forEach((want, i) => expect(got[i]).toBeCloseTo(want, 5));
  });

  it("have no tiles where rows depend on other rows by more than a sum", () => {
    expect(rowPasses((w) => add(w, max(w, { axes: [0] })), W).tile(0, 3)).toBeUndefined();
  });
});

describe("a box of a function of a larger tensor", () => {
  const stack = tensor(values(3 * 6 * 4), { shape: [3, 6, 4] });
  const [up, down] = [tensor(values(3 * 6 * 2), { shape: [3, 6, 2] }), tensor(values(3 * 2 * 4), { shape: [3, 2, 4] })];
  const changed = (w: Tensor): Tensor => add(w, matmul(up, down));
  const box = [[1, 2], [2, 5], [0, 4]] as const; // prettier-ignore

  it("is computed from that box alone", async () => {
    const part = slice(stack, box);
    const got = mapBox(changed, stack.shape, box, [part])!;
    expect(await got.data()).toEqual(await slice(changed(stack), box).data());
    expect(explainPlan(planGraph([got], [stack, up, down], () => false).plan)).not.toContain("f32[3,6,4]");
  });
  it("is refused where it needs more", () => {
    expect(mapBox((w) => add(w, norm(w, { axes: [1], keepDims: true })), stack.shape, box, [slice(stack, box)])).toBeUndefined();
  });
});
