import { describe, expect, it } from "vitest";
import { type Tensor, topologicalOrder } from "../graph.js";
import * as o from "../ops/index.js";
import { PRIMITIVES } from "./index.js";
import { referenceDevice } from "../device.js";
import { type ConformanceCase, numbers } from "../testing/case.js";
import { COMPOSITE_CASES } from "../testing/cases/index.js";
import { floatInputs, gradientsOf, outputsOf, valuesOf, weightsOf } from "../testing/evaluate.js";
import { gradients } from "../transforms/grad.js";
import { substitute } from "../passes/rewrite.js";

/** Values away from 0 and from one another, so that kinks and ties are not near. */
const values = (n: number, seed: number): Float32Array =>
  Float32Array.from({ length: n }, (_, i) => (((i * 7 + seed * 5) % 13) - 6.3) * 0.23 + 0.017 * i);
const make = (shape: readonly number[], seed = 1, positive = false): Tensor =>
  o.tensor(
    values(o.full(shape, 0).size, seed).map((v) => (positive ? Math.abs(v) + 0.3 : v)),
    { shape },
  );

interface Case {
  readonly inputs: readonly Tensor[];
  readonly f: (...inputs: Tensor[]) => Tensor;
  /** Half the distance of the difference quotient: 2e-3 unless the function is linear in each input, where a larger one loses less. */
  readonly step?: number;
}
const unary = (f: (x: Tensor) => Tensor, positive = false): Case => ({ inputs: [make([2, 5], 1, positive)], f });
const binary = (f: (a: Tensor, b: Tensor) => Tensor, positive = false): Case => ({
  inputs: [make([3, 4], 1, positive), make([4], 2, true)],
  f,
});
const index = o.tensor(Int32Array.of(2, 0, 2), { shape: [3] });
const yes = o.greater(make([3, 4], 3), 0);

/** One case or more for each primitive that has a gradient; `of` names the primitive. */
const CASES: Record<string, Case> = {
  neg: unary(o.neg),
  abs: unary(o.abs),
  exp: unary(o.exp),
  log: unary(o.log, true),
  sin: unary(o.sin),
  cos: unary(o.cos),
  tanh: unary(o.tanh),
  erf: unary(o.erf),
  sqrt: unary(o.sqrt, true),
  rsqrt: unary(o.rsqrt, true),
  reciprocal: unary(o.reciprocal, true),
  add: binary(o.add),
  sub: binary(o.sub),
  mul: binary(o.mul),
  div: binary(o.div),
  pow: binary(o.pow, true),
  mod: { inputs: [make([2, 3], 1, true)], f: (x) => o.mod(x, 0.77) },
  max: binary(o.maximum),
  min: binary(o.minimum),
  // Rounding moves values up to 6 by 2^-9: by 1e-3 in a quotient over 4.
  cast: { inputs: [make([2, 5])], f: (x) => o.cast(x, "f16"), step: 2 },
  where: { inputs: [make([3, 4], 1), make([3, 4], 2)], f: (a, b) => o.where(yes, a, b) },
  lookup: { inputs: [make([5])], f: (x) => o.lookup(x, index) },
  "reduce sum": unary((x) => o.sum(x, { axes: [1] })),
  "reduce leading": unary((x) => o.sum(x, { axes: [0] })),
  "reduce prod": unary((x) => o.prod(x, { axes: [1] }), true),
  "reduce max": unary((x) => o.max(x, { axes: [1] })),
  "reduce min": unary((x) => o.min(x, { axes: [0] })),
  matmul: { inputs: [make([2, 3, 4], 1), make([2, 4, 2], 2)], f: o.matmul },
  conv: {
    inputs: [make([2, 4, 7, 6], 1), make([6, 2, 3, 2], 2)],
    f: (x, w) => o.conv(x, w, { stride: [2, 1], padding: [1, [0, 1]], dilation: [1, 2], groups: 2 }),
    step: 0.1,
  },
  "conv inputDilation": {
    inputs: [make([1, 2, 5], 1), make([3, 2, 3], 2)],
    f: (x, w) => o.conv(x, w, { inputDilation: 2, padding: 1, stride: 2 }),
  },
  reshape: unary((x) => o.reshape(x, [5, 2])),
  transpose: unary((x) => o.transpose(x)),
  broadcast: { inputs: [make([3, 1])], f: (x) => o.broadcastTo(x, [2, 3, 4]) },
  slice: {
    inputs: [make([5, 7])],
    f: (x) =>
      o.slice(
        x,
        [
          [1, 4],
          [0, 7],
        ],
        [1, 3],
      ),
  },
  flip: unary((x) => o.flip(x, [1])),
  pad: unary((x) => o.pad(x, [1, 0], [0, 2], 3)),
  concat: { inputs: [make([2, 3], 1), make([2, 2], 2)], f: (a, b) => o.concat([a, b], 1) },
  gather: { inputs: [make([3, 4])], f: (x) => o.gather(x, index) },
  scatterAdd: { inputs: [make([3, 4], 1), make([3, 4], 2)], f: (base, updates) => o.scatterAdd(base, index, updates) },
  dynamicSlice: { inputs: [make([4, 5])], f: (x) => o.dynamicSlice(x, o.tensor(Int32Array.of(1, 9)), [2, 3]) },
  update: {
    inputs: [make([4, 5], 1), make([4, 2], 2)],
    f: (base, value) => o.update(base, value, o.tensor(Int32Array.of(2)), [1]),
  },
  cumsum: unary((x) => o.cumsum(x, 1, true)),
  cummax: unary((x) => o.cummax(x, 1)),
  "cummax from the end": unary((x) => o.cummax(x, 0, true)),
  linearScan: { inputs: [make([3, 5], 1), make([3, 5], 2)], f: (a, b) => o.linearScan(o.tanh(a), b, 1) },
  "linearScan from the end": { inputs: [make([5, 3], 1), make([5, 3], 2)], f: (a, b) => o.linearScan(o.tanh(a), b, 0, true) },
  sort: unary((x) => o.sort(x, 1, { descending: true }).values),
  barrier: { inputs: [make([2, 3])], f: (x) => o.barrier(x, o.sum(x)) },
};

/** Σ f·c with fixed uneven weights c, so that every element of the result counts differently. */
const weighed = (y: Tensor): Tensor => o.sum(o.mul(y, make(y.shape, 4)));

async function compare({ inputs, f, step = 2e-3 }: Case): Promise<void> {
  const loss = (list: readonly Tensor[]): Tensor => weighed(f(...list));
  const grads = gradients(loss(inputs), inputs);
  for (const [n, input] of inputs.entries()) {
    const [base, grad] = [(await input.data()) as Float32Array, await grads[n]!.data()];
    for (let i = 0; i < base.length; i += Math.max(1, Math.floor(base.length / 12))) {
      const at = async (d: number): Promise<number> => {
        const moved = base.slice();
        moved[i]! += d;
        return loss(inputs.map((x, k) => (k === n ? o.tensor(moved, { shape: input.shape }) : x))).item();
      };
      const slope = ((await at(step)) - (await at(-step))) / (2 * step);
      // The quotient of f32 values of size up to 100 over 4e-3 is good to 100·2^-24/4e-3 = 1.5e-3, relative to the slope for large ones.
      expect(Math.abs(grad[i]! - slope), `input ${n}, element ${i}: ${grad[i]} and ${slope}`).toBeLessThan(
        4e-3 * Math.max(1, Math.abs(slope)),
      );
    }
  }
}

describe("the gradient of every primitive equals finite differences", () => {
  it.each(Object.entries(CASES))("%s", (_, c) => compare(c));

  it("leaves no primitive out", () => {
    const used = new Set(Object.values(CASES).flatMap(({ inputs, f }) => topologicalOrder([f(...inputs)]).map((n) => n.op)));
    const smooth = Object.values(PRIMITIVES).filter(({ gradient }) => gradient);
    expect(smooth.map(({ name }) => name).filter((name) => !used.has(name))).toEqual([]);
  });
});

/** Along a direction that changes every element, for each input of the conformance cases that are f32 throughout. */
async function compareAlongDirections(c: ConformanceCase): Promise<void> {
  const device = referenceDevice();
  const outputs = outputsOf(c, device);
  const weights = await valuesOf(
    device,
    outputs.map((y, k) => weightsOf(device, y, k)),
  );
  const loss = async (of: readonly Tensor[]): Promise<number> =>
    (await valuesOf(device, of)).reduce((sum, y, k) => sum + y.reduce((s, v, i) => s + v * weights[k]![i]!, 0), 0);
  const inputs = floatInputs(outputs);
  const slopes = gradientsOf(outputs, device, inputs);
  const grads = await valuesOf(device, slopes);
  for (const [n, input] of inputs.entries()) {
    const base = (await input.data()) as Float32Array;
    const norm = Math.hypot(...grads[n]!);
    const direction = numbers(base.length, n + 1).map((v) => v || 1);
    const moved = (h: number): Tensor =>
      device.tensor(
        base.map((v, i) => v + h * direction[i]!),
        { shape: input.shape },
      );
    const at = (h: number): Promise<number> => loss(substitute(outputs, [input], [moved(h)]));
    const h = 1e-3;
    const [slope, expected] = [((await at(h)) - (await at(-h))) / (2 * h), grads[n]!.reduce((s, g, i) => s + g * direction[i]!, 0)];
    // f32 values of size up to 10 over 2e-3 are good to 3e-4 each; the third derivative adds h².
    expect(Math.abs(slope - expected), `input ${n} (${input}): ${expected} and ${slope}`).toBeLessThan(4e-3 * Math.max(1, norm));
  }
}

describe("the gradient of every composite equals finite differences", () => {
  const smooth = COMPOSITE_CASES.filter((c) => {
    const outputs = outputsOf(c, referenceDevice());
    const all = [...outputs, ...floatInputs(outputs)];
    return !c.noGradient && !c.nonsmooth && all.every((t) => t.dtype === "f32" && t.size > 0);
  });
  it.each(smooth)("$name", compareAlongDirections);
});

it("a product with a zero has the gradient that torch gives", async () => {
  const x = o.tensor([2, 0, 3]);
  expect([...(await gradients(o.prod(x), [x])[0]!.data())]).toEqual([0, 6, 0]);
});
