import { adamwStep, compile, Device, full, matmul, placeholder, planGraph, referenceDevice, type Tensor } from "@weft/tensor-core";
import { expect, it } from "vitest";
import { createOnnxBackend } from "../backend.js";
import { operatorsOf } from "../model/reader.js";
import { hasRuntime, REASON } from "../testing/runtime.js";
import { lowerPlan } from "./lower-plan.js";

const SHAPES = [[2, 6], [3, 6], [4, 6], [1, 6], [6, 4], [5, 4], [7], [300, 100]];

const ATTRS = { beta1: 0.9, beta2: 0.99, eps: 1e-6, weightDecay: 0.1 };

/** Steps of an optimiser, in which what products make is at hand as matrices. */
function steps(params: readonly Tensor[], moments: readonly Tensor[], lr: Tensor, step: Tensor): Tensor[] {
  return params.flatMap((p, i) => {
    const g = p.shape.length === 2 ? matmul(p, full([p.shape[1]!, p.shape[1]!], 0.1)) : p;
    return Object.values(adamwStep({ p, g, m: moments[i]!, v: moments[i]!, lr, step }, ATTRS));
  });
}

const spec = (shape: readonly number[]): Tensor => placeholder({ shape, dtype: "f32" });

it("computes equal steps of small tensors that nothing else reads as one for each width", () => {
  const [params, moments, lr, step] = [SHAPES.map(spec), SHAPES.map(spec), spec([]), spec([])];
  const { plan } = planGraph(steps(params, moments, lr, step), [...params, ...moments, lr, step], () => false);
  const operators = operatorsOf(lowerPlan(plan).graph.model());
  const count = (op: string): number => operators.filter((other) => other === op).length;
  // Two widths of small ones; a vector and a large matrix each alone; and the root of the bias correction.
  expect([count("Split"), count("Sqrt")]).toEqual([6, 5]);
});

it.skipIf(!hasRuntime())(`steps that are computed as one give what each gives alone${REASON}`, async () => {
  const results: number[][][] = [];
  for (const device of [referenceDevice(), new Device(await createOnnxBackend({ threads: 2 }))]) {
    const make =
      (seed: number) =>
      (shape: readonly number[], i: number): Tensor =>
        device.tensor(
          Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, k) => 0.1 + Math.abs(Math.sin(seed * k + i))),
          { shape },
        );
    const inputs = [SHAPES.map(make(3)), SHAPES.map(make(7)), device.tensor(0.01), device.tensor(3)] as const;
    const out = await compile(steps, { device })(...inputs);
    results.push(await Promise.all(out.map(async (t) => [...(await t.data())])));
    device.dispose();
  }
  const [expected, got] = results as [number[][], number[][]];
  const worst = expected.map((list, i) => Math.max(...list.map((v, k) => Math.abs(v - got[i]![k]!) / (1 + Math.abs(v)))));
  expect(
    worst.every((error) => error < 1e-5),
    `${worst}`,
  ).toBe(true);
});
