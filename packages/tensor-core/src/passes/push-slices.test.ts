import { describe, expect, it } from "vitest";
import { cayley } from "../composites/cayley.js";
import { stepCost } from "../explain.js";
import { placeholder, type Tensor } from "../graph.js";
import { barrier, add, exp, mul, tanh } from "../ops/elementwise.js";
import { linear, matmul } from "../ops/linear.js";
import { broadcastTo, concat, reshape, rows, slice, split, stack, transpose } from "../ops/movement.js";
import { sum } from "../ops/reduce.js";
import { planGraph } from "../plan/plan-graph.js";
import type { Plan, Step } from "../plan/plan.js";

const input = (...shape: number[]): Tensor => placeholder({ shape, dtype: "f32" });
const planOf = (...outputs: Tensor[]): Plan => planGraph(outputs, [], () => false).plan;
const work = ({ steps }: Plan): { flops: number; bytes: number } =>
  steps.map(stepCost).reduce((a, b) => ({ flops: a.flops + b.flops, bytes: a.bytes + b.bytes }), { flops: 0, bytes: 0 });
const products = ({ steps }: Plan): Step["outputs"][0]["shape"][] =>
  steps.filter((s) => s.kind === "op" && s.op === "matmul").map((s) => s.outputs[0]!.shape);

describe("a slice", () => {
  it("of a product computes those rows and columns alone", () => {
    const y = matmul(exp(input(64, 32)), input(32, 48));
    expect(
      products(
        planOf(
          slice(y, [
            [8, 12],
            [40, 48],
          ]),
        ),
      ),
    ).toEqual([[4, 8]]);
    expect(products(planOf(rows(add(tanh(y), input(64, 48)), 63, 64)))).toEqual([[1, 48]]);
  });
  it("of one block of cayley inverts that block alone, in as many steps as for all", () => {
    const all = planOf(cayley(input(16, 6, 6)));
    const one = planOf(slice(cayley(input(16, 6, 6)), [[0, 1]]));
    expect(one.steps.length).toBeLessThanOrEqual(all.steps.length);
    expect(work(one).flops).toBeLessThan(work(all).flops / 8);
    expect(work(one).bytes).toBeLessThan(work(all).bytes / 8);
  });
  it("stays where the whole is computed anyway", () => {
    const y = exp(input(64, 32));
    const plan = planOf(y, tanh(rows(y, 0, 16)));
    expect(plan.steps).toHaveLength(2);
    expect(plan.steps.filter((s) => s.kind === "fused" && s.program.instructions.some((i) => i.op === "exp"))).toHaveLength(1);
  });
  it("does not part a loop from the one that it would run in", () => {
    const x = input(64, 32);
    const m = exp(x);
    // Rows 0–62 of m + 1 by themselves would read m again, to leave out one row of 64.
    expect(planOf(m, rows(add(m, 1), 0, 63)).steps.map((s) => s.outputs.length)).toEqual([2, 1]);
    expect(planOf(m, rows(add(m, 1), 0, 4)).steps.map((s) => s.outputs[0]!.shape)).toEqual([
      [64, 32],
      [4, 32],
    ]);
  });
});

describe("several slices of one tensor", () => {
  it("leave a product whole: an unrolled recurrence has one for all its inputs", () => {
    const [x, w, u] = [input(64, 256), input(256, 256), input(256, 256)];
    const drive = linear(x, w, input(256));
    let h = broadcastTo(input(1), [1, 256]);
    const states = Array.from({ length: 64 }, (_, t) => (h = tanh(add(linear(h, u), rows(drive, t, t + 1)))));
    const plan = planOf(concat(states, 0));
    expect(products(plan).filter(([m]) => m === 64)).toEqual([[64, 256]]);
    expect(products(plan)).toHaveLength(65);
  });
  it("leave the fused projection of GPT-2 one product", () => {
    const [x, w, b] = [input(16, 32), input(32, 96), input(96)];
    const heads = split(add(matmul(x, w), b), [32, 32, 32], 1).map((t) => transpose(reshape(t, [16, 4, 8]), [1, 0, 2]));
    const [q, k, v] = heads as [Tensor, Tensor, Tensor];
    expect(products(planOf(matmul(matmul(q, transpose(k, [0, 2, 1])), v)))).toEqual([
      [16, 96],
      [4, 16, 16],
      [4, 16, 8],
    ]);
  });
  it("compute the part around them once, however they overlap", () => {
    const y = tanh(matmul(input(64, 32), input(32, 48)));
    const plan = planOf(stack([rows(y, 8, 24), rows(y, 16, 32), slice(y, [[8, 40]], [2, 1])]));
    expect(products(plan)).toEqual([[31, 48]]);
  });
  it("take their parts of what is equal, though it was made twice", () => {
    const [x, w] = [input(64, 32), input(32, 48)];
    expect(products(planOf(rows(matmul(x, w), 0, 4), rows(matmul(x, w), 4, 10)))).toEqual([[10, 48]]);
  });
});

/** A chain of random operations on matrices, with slices that overlap, repeat and lie apart. `view` stands before each slice. */
function randomGraph(seed: number, view: (x: Tensor) => Tensor): Tensor[] {
  let state = seed * 2654435761 + 1;
  const pick = (below: number): number => {
    state = (Math.imul(state ^ (state >>> 15), 2246822519) + 3266489917) | 0;
    return (state >>> 8) % below;
  };
  const pool: Tensor[] = [input(12, 8), input(12, 8), input(8, 8)];
  const part = (x: Tensor): Tensor => {
    const [r, c] = x.shape as [number, number];
    const [at, first] = [pick(r), pick(2) === 0 ? 0 : pick(c)];
    return slice(
      view(x),
      [
        [at, at + 1 + pick(r - at)],
        [first, first + 1 + pick(c - first)],
      ],
      [1 + pick(2), 1],
    );
  };
  for (let i = 0; i < 24; i++) {
    const x = pool[pool.length - 1 - pick(Math.min(pool.length, 5))]!;
    const like = pool.filter((t) => t.shape.join() === x.shape.join());
    const make: (() => Tensor)[] = [
      () => tanh(x),
      () => add(x, like[pick(like.length)]!),
      () => mul(x, broadcastTo(sum(x, { axes: [1], keepDims: true }), x.shape)),
      () => matmul(x, transpose(like[pick(like.length)]!)),
      () => transpose(x),
      () => concat([x, x], pick(2)),
      () => part(x),
      () => part(x),
      () => part(x),
      () => exp(mul(x, 0.5)),
    ];
    const y = make[pick(make.length)]!();
    if (y.size <= 600) pool.push(y);
  }
  return [mul(pool.at(-1)!, 2), mul(pool.at(-4)!, 3)];
}

describe("a plan with slices pushed down", () => {
  it("never reads, writes or computes more than without, and often less", () => {
    let better = 0;
    const worse: string[] = [];
    for (let seed = 0; seed < 200; seed++) {
      // A barrier lets no slice through, and is a view otherwise.
      const [without, pushed] = [(x: Tensor) => barrier(x, x), (x: Tensor) => x].map((view) => work(planOf(...randomGraph(seed, view))));
      if (pushed!.flops > without!.flops || pushed!.bytes > without!.bytes) worse.push(`${seed}: ${JSON.stringify([without, pushed])}`);
      if (pushed!.flops < without!.flops && pushed!.bytes < without!.bytes) better++;
    }
    expect(worse).toEqual([]);
    expect(better).toBeGreaterThan(20);
  });
});
