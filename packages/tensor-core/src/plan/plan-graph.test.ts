import { describe, expect, it } from "vitest";
import { adamwStep } from "../composites/optimizer.js";
import { rmsNorm, softmax } from "../composites/norm.js";
import { Device } from "../device.js";
import { makeNode, type Node, Tensor, topologicalOrder } from "../graph.js";
import * as o from "../ops/index.js";
import type { Plan } from "./plan.js";
import { createReferenceBackend } from "../reference/backend.js";
import { planGraph } from "./plan-graph.js";

/** Small deterministic random numbers. */
function generator(seed: number): (below: number) => number {
  let state = seed * 2654435761 + 1;
  return (below) => {
    state = (Math.imul(state ^ (state >>> 15), 2246822519) + 3266489917) | 0;
    return (state >>> 8) % below;
  };
}

/** A random graph over small shapes; every kind of step and of view occurs. */
function randomGraph(seed: number): Tensor[] {
  const pick = generator(seed);
  const leaf = (shape: readonly number[]): Tensor =>
    o.tensor(
      Float32Array.from({ length: o.full(shape, 0).size }, () => (pick(2000) - 1000) / 500),
      { shape },
    );
  const pool: Tensor[] = [leaf([3, 4]), leaf([3, 4]), leaf([4]), leaf([3, 1]), leaf([2, 3, 4])];
  const any = (): Tensor => pool[pool.length - 1 - pick(Math.min(pool.length, 6))]!;
  const shaped = (shape: readonly number[]): Tensor => pool.filter((t) => t.shape.join() === shape.join()).at(-1 - pick(2)) ?? leaf(shape);
  for (let i = 0; i < 18; i++) {
    const x = any();
    const rank = x.shape.length;
    const axis = rank === 0 ? 0 : pick(rank);
    const make: (() => Tensor)[] = [
      () => o.add(x, shaped(x.shape)),
      () => o.mul(x, o.tanh(shaped(x.shape))),
      () => o.sub(x, 0.5),
      () => o.where(o.greater(x, 0), x, o.neg(x)),
      () => o.exp(o.minimum(x, 1)),
      () => (rank ? o.sum(x, { axes: [axis], keepDims: pick(2) === 0 }) : x),
      () => (rank ? o.sub(x, o.max(x, { axes: [rank - 1], keepDims: true })) : x),
      () => (rank ? o.mul(x, o.broadcastTo(o.mean(x, { axes: [axis], keepDims: true }), x.shape)) : x),
      () => (rank > 1 ? o.transpose(x) : x),
      () => o.reshape(x, [x.size]),
      () => (rank ? o.flip(x, [axis]) : x),
      () =>
        rank && x.shape[axis]! > 1
          ? o.slice(
              x,
              x.shape.map((d, k) => (k === axis ? [1, d] : undefined)),
            )
          : x,
      () => (rank ? o.concat([x, o.mul(x, 2)], axis) : x),
      () => (rank > 1 ? o.matmul(x, o.swapLast(x)) : x),
      () => (rank ? o.gather(x, o.tensor(Int32Array.of(0, x.shape[axis]! - 1), { shape: [2] }), axis) : x),
      () => o.cast(o.cast(x, "bf16"), "f32"),
      () =>
        rank
          ? o.pad(
              x,
              x.shape.map(() => 1),
              x.shape.map(() => 0),
            )
          : x,
    ];
    const y = make[pick(make.length)]!();
    if (y.size <= 400) pool.push(o.mul(y, 0.5));
  }
  return [pool.at(-1)!, pool.at(-3)!, any(), any()];
}

/** Every node computed by a plan of its own from the values of its inputs: no fusion, no reuse, nothing to go wrong. */
async function oneByOne(outputs: readonly Tensor[]): Promise<Float32Array[]> {
  const values = new Map<Node, Tensor>();
  for (const node of topologicalOrder(outputs)) {
    if (node.op === "constant") continue;
    const inputs = node.inputs.map((t) => values.get(t.node) ?? t);
    const alone = new Tensor(makeNode(node.op, inputs, node.attrs, node.outputs));
    const data = await alone.data();
    values.set(node, o.tensor(data as Float32Array, { shape: alone.shape, dtype: alone.dtype }));
  }
  return Promise.all(outputs.map(async (t) => (await (values.get(t.node) ?? t).data()) as Float32Array));
}

/** Scratch buffers that are alive at the same step must not share bytes, unless one is written over the other in place. */
function checkMemory({ steps, buffers }: Plan): void {
  const life = new Map<number, [number, number]>();
  steps.forEach((step, at) => {
    for (const { buffer } of [...step.inputs, ...step.outputs]) {
      const [first] = life.get(buffer) ?? [at];
      life.set(buffer, [first!, at]);
    }
  });
  const scratch = [...life].filter(([id]) => buffers[id]!.role === "scratch");
  for (const [a, [firstA, lastA]] of scratch) {
    for (const [b, [firstB, lastB]] of scratch) {
      const [x, y] = [buffers[a]!, buffers[b]!] as { offset: number; bytes: number }[] as [
        { offset: number; bytes: number },
        { offset: number; bytes: number },
      ];
      if (a >= b || x.offset + x.bytes <= y.offset || y.offset + y.bytes <= x.offset) continue;
      const handedOver = lastA === firstB || lastB === firstA;
      expect(
        lastA < firstB || lastB < firstA || (handedOver && x.offset === y.offset && x.bytes === y.bytes),
        `buffers ${a} and ${b}`,
      ).toBe(true);
    }
  }
}

describe("a plan of a random graph", () => {
  it.each(Array.from({ length: 150 }, (_, i) => i))("number %i gives what its nodes give one by one", async (seed) => {
    const outputs = randomGraph(seed);
    const want = await oneByOne(outputs);
    checkMemory(planGraph(outputs, [], () => false).plan);
    for (const [i, t] of outputs.entries()) {
      const got = await t.data();
      expect(got.length).toBe(want[i]!.length);
      got.forEach((v, k) => expect(Math.abs(v - want[i]![k]!)).toBeLessThanOrEqual(1e-5 * Math.max(1, Math.abs(want[i]![k]!))));
    }
  });
  it.each(Array.from({ length: 40 }, (_, i) => 1000 + i))("number %i gives the same for all outputs at once", async (seed) => {
    const together = randomGraph(seed);
    const device = new Device(createReferenceBackend());
    const { plan, leaves } = planGraph(together, [], () => false);
    const results = await device.execute(await device.backend.lower(plan), leaves);
    const want = await oneByOne(together);
    for (const [i, t] of results.entries())
      (await t.data()).forEach((v, k) =>
        expect(Math.abs(v - want[i]![k]!)).toBeLessThanOrEqual(1e-5 * Math.max(1, Math.abs(want[i]![k]!))),
      );
  });
});

describe("update", () => {
  const base = o.mul(o.tensor(new Float32Array(1024), { shape: [16, 64] }), 2);
  const put = (t: Tensor, row: number): Tensor => o.update(t, o.ones([1, 64]), o.tensor(Int32Array.of(row)), [0]);
  const bytes = (outputs: readonly Tensor[]): number => planGraph(outputs, [], () => false).plan.scratchBytes;
  it("takes the memory of a base that nobody reads afterwards", () => {
    const last = o.mul(put(put(base, 1), 2), 3);
    // The row that is put in lies in memory, too.
    expect(bytes([last])).toBe(16 * 64 * 4 + 64 * 4);
  });
  it("leaves a base alone that somebody reads afterwards", () => {
    const next = put(base, 1);
    expect(bytes([o.sum(o.mul(next, base), { axes: [1] })])).toBeGreaterThanOrEqual(2 * 16 * 64 * 4);
  });
});

describe("fusion", () => {
  const x = o.tensor(new Float32Array(12), { shape: [3, 4] });
  const steps = (outputs: readonly Tensor[]): Plan["steps"] => planGraph(outputs, [], () => false).plan.steps;
  it("makes softmax and RMSNorm one kernel each", () => {
    expect(steps([softmax(x)])).toHaveLength(1);
    expect(steps([rmsNorm(x, o.ones([4]), 1e-5)])).toHaveLength(1);
  });
  it("makes a step of AdamW one kernel with three results", () => {
    const p = adamwStep(
      { p: x, g: o.mul(x, 2), m: x, v: x, lr: o.full([], 0.1), step: o.full([], 1) },
      { beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0 },
    );
    const all = steps([p.p, p.m, p.v]);
    expect(all).toHaveLength(1);
    expect(all[0]!.outputs).toHaveLength(3);
  });
  it("runs nothing for what only a barrier waits for", async () => {
    const y = o.mul(o.barrier(x, o.mean(x, { axes: [0] })), o.tensor(new Float32Array(12).fill(2), { shape: [3, 4] }));
    for (const step of steps([y])) expect(step.outputs.length).toBeGreaterThan(0);
    expect(await y.data()).toEqual(new Float32Array(12));
  });
  it("plans a graph of 5,000 nodes without running out of stack", () => {
    let y: Tensor = x;
    for (let i = 0; i < 5000; i++) y = o.add(y, i % 2 ? x : 1);
    expect(steps([y]).length).toBeGreaterThan(1);
  });
});
