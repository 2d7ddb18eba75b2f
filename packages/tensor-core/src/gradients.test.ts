import { describe, expect, it } from "vitest";
import { GRADIENTS } from "./gradients.js";
import { type Tensor, topologicalOrder } from "./graph.js";
import * as o from "./ops/index.js";
import { PRIMITIVES } from "./primitives.js";
import { gradients } from "./transforms/grad.js";
import { checkpoint } from "./transforms/checkpoint.js";
import { attention } from "./composites/attention.js";
import { blockRotate, butterfly } from "./composites/block-rotation.js";
import { cayley, cayleyNeumann, inverse } from "./composites/cayley.js";
import { weightNorm } from "./composites/dora-norm.js";
import { kron, kronLinear } from "./composites/kron.js";
import { loraLinear, mergeLowRank } from "./composites/lora-linear.js";
import { softmaxCrossEntropy } from "./composites/loss.js";
import { adamwStep, clipByGlobalNorm, sgdStep } from "./composites/optimizer.js";
import { multiLora } from "./composites/multi-lora.js";
import { layerNorm, rmsNorm, softmax } from "./composites/norm.js";
import { rope } from "./composites/rope.js";

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
  cast: unary((x) => o.cast(o.cast(x, "f32"), "f32")),
  where: { inputs: [make([3, 4], 1), make([3, 4], 2)], f: (a, b) => o.where(yes, a, b) },
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
  cumsum: unary((x) => o.cumsum(x, 1, true)),
  barrier: { inputs: [make([2, 3])], f: (x) => o.barrier(x, o.sum(x)) },
};

const COMPOSITES: Record<string, Case> = {
  softmax: unary(softmax),
  rmsNorm: { inputs: [make([3, 5], 1), make([5], 2)], f: (x, w) => rmsNorm(x, w, 1e-5) },
  layerNorm: { inputs: [make([3, 5], 1), make([5], 2), make([5], 3)], f: (x, w, b) => layerNorm(x, w, b, 1e-5) },
  attention: {
    inputs: [make([1, 4, 3, 2], 1), make([1, 2, 3, 2], 2), make([1, 2, 3, 2], 3)],
    f: (q, k, v) => attention(q, k, v, { causal: true }),
  },
  "attention with mask and rows that see nothing": {
    inputs: [make([1, 2, 5, 2], 1), make([1, 1, 3, 2], 2), make([1, 1, 3, 4], 3)],
    f: (q, k, v) => attention(q, k!, v!, { causal: true, mask: o.greater(make([5, 3], 5), -0.9), scale: 0.7 }),
  },
  rope: { inputs: [make([2, 2, 3, 4], 1), make([2, 3, 4], 2), make([1, 3, 4], 3)], f: (x, cos, sin) => rope(x, cos!, sin!) },
  loraLinear: {
    inputs: [make([3, 4], 1), make([5, 4], 2), make([2, 4], 3), make([5, 2], 4), make([5], 5)],
    f: (x, w, a, b, bias) => loraLinear(x, w!, a!, b!, 0.5, bias),
  },
  mergeLowRank: { inputs: [make([5, 4], 2), make([2, 4], 3), make([5, 2], 4)], f: (w, a, b) => mergeLowRank(w, a, b, { scale: 0.5 }) },
  kron: { inputs: [make([2, 3], 1), make([3, 2, 2], 2)], f: kron },
  "kronLinear, b first": { inputs: [make([3, 6], 1), make([2, 3], 2), make([3, 2], 3)], f: kronLinear },
  "kronLinear, a first": { inputs: [make([3, 6], 1), make([1, 3], 2), make([3, 2], 3)], f: kronLinear },
  blockRotate: { inputs: [make([2, 6], 1), make([2, 3, 3], 2)], f: blockRotate },
  "blockRotate, one block for all": { inputs: [make([2, 6], 1), make([1, 3, 3], 2)], f: blockRotate },
  butterfly: { inputs: [make([2, 8], 1)], f: (x) => butterfly(x, { blockSize: 2, stage: 1 }) },
  // Of a skew-symmetric matrix, made here of any.
  cayley: { inputs: [make([2, 3, 3], 1)], f: (m) => cayley(o.mul(o.sub(m, o.swapLast(m)), 0.5)) },
  "cayley of 9": { inputs: [make([1, 9, 9], 1)], f: (m) => cayley(o.mul(o.sub(m, o.swapLast(m)), 0.1)) },
  inverse: {
    inputs: [make([2, 3, 3], 1)],
    f: (m) =>
      inverse(
        o.add(
          o.mul(m, 0.1),
          o.tensor([
            [1, 0, 0],
            [0, 1, 0],
            [0, 0, 1],
          ]),
        ),
      ),
  },
  cayleyNeumann: { inputs: [make([2, 3, 3], 1)], f: (m) => cayleyNeumann(o.mul(o.sub(m, o.swapLast(m)), 0.2), 5) },
  weightNorm: { inputs: [make([3, 5], 1), make([2, 5], 2), make([3, 2], 3)], f: (w, a, b) => weightNorm(w, a, b, 0.5) },
  multiLora: {
    inputs: [make([3, 4], 1), make([5, 4], 2), make([5, 3], 3), make([2], 4)],
    f: (x, a, b, scales) =>
      multiLora(x, o.tensor(Int32Array.of(1, -1, 0)), { a, b, scales, starts: o.tensor(Int32Array.of(0, 2, 5)), rank: 3 }),
  },
  "multiLora, many tokens": {
    inputs: [make([2, 50, 2], 1), make([5, 2], 2), make([5, 2], 3), make([3], 4)],
    f: (x, a, b, scales) =>
      multiLora(x, o.tensor(Int32Array.of(2, 0)), { a, b, scales, starts: o.tensor(Int32Array.of(0, 2, 4, 5)), rank: 2 }),
  },
  softmaxCrossEntropy: { inputs: [make([3, 5])], f: (x) => softmaxCrossEntropy(x, o.tensor(Int32Array.of(1, -100, 4), { shape: [3] })) },
  adamwStep: {
    inputs: [make([4], 1), make([4], 2)],
    f: (p, g) => {
      const next = adamwStep(
        { p, g, m: make([4], 3), v: make([4], 4, true), lr: o.full([], 0.1), step: o.full([], 3) },
        { beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0.1 },
      );
      return o.concat([next.p, next.m, next.v]);
    },
  },
  sgdStep: {
    inputs: [make([4], 1), make([4], 2), make([4], 3)],
    f: (p, g, b) => {
      const next = sgdStep({ p, g: g!, buffer: b, lr: o.full([], 0.1) }, { momentum: 0.9, nesterov: true, weightDecay: 0.1 });
      return o.concat([next.p, next.buffer!]);
    },
  },
  clipByGlobalNorm: {
    inputs: [make([4], 1), make([2, 3], 2)],
    f: (a, b) => {
      const { tensors, norm } = clipByGlobalNorm([a, b!], 0.5);
      return o.concat([...tensors.map((t) => o.reshape(t, [-1])), o.reshape(norm, [1])]);
    },
  },
  checkpoint: { inputs: [make([3, 4], 1), make([4, 2], 2)], f: (x, w) => checkpoint((a: Tensor) => o.tanh(o.matmul(a, w)))(x) },
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
    const flat = new Set([
      "full",
      "iota",
      "sign",
      "floor",
      "ceil",
      "round",
      "not",
      "eq",
      "ne",
      "lt",
      "le",
      "and",
      "or",
      "argreduce",
      "random",
      "stopGradient",
      "cast",
    ]);
    expect(Object.keys(PRIMITIVES).filter((op) => !used.has(op) && !flat.has(op))).toEqual([]);
    expect(Object.keys(GRADIENTS).sort()).toEqual(Object.keys(PRIMITIVES).sort());
  });
});

describe("the gradient of every composite equals finite differences", () => {
  it.each(Object.entries(COMPOSITES))("%s", (_, c) => compare(c));
});

it("a product with a zero has the gradient that torch gives", async () => {
  const x = o.tensor([2, 0, 3]);
  expect([...(await gradients(o.prod(x), [x])[0]!.data())]).toEqual([0, 6, 0]);
});
