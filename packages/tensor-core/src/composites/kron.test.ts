import { describe, expect, it } from "vitest";
import { ShapeError } from "../errors.js";
import { add, matmul, rows, swapLast, tensor } from "../ops/index.js";
import { planGraph } from "../plan/plan-graph.js";
import { sizeOf } from "../shape.js";
import type { Tensor } from "../graph.js";
import { kron, kronLinear } from "./kron.js";

const make = (shape: readonly number[], seed: number): Tensor =>
  tensor(
    Float32Array.from({ length: sizeOf(shape) }, (_, i) => Math.sin(i * 1.3 + seed)),
    { shape },
  );

async function byHand(a: Tensor, b: Tensor): Promise<number[]> {
  const [p, q] = a.shape as [number, number];
  const [r, s, ...kernel] = b.shape as [number, number, ...number[]];
  const [av, bv, k] = [await a.data(), await b.data(), sizeOf(kernel)];
  const out: number[] = [];
  for (let o = 0; o < p * r; o++)
    for (let i = 0; i < q * s; i++)
      for (let e = 0; e < k; e++)
        out.push(Math.fround(av[Math.floor(o / r) * q + Math.floor(i / s)]! * bv[((o % r) * s + (i % s)) * k + e]!));
  return out;
}

describe("kron", () => {
  it.each([
    [2, 3, 4, 5, []],
    [1, 4, 3, 1, []],
    [3, 2, 2, 4, [3, 2]],
    [2, 2, 3, 2, [3]],
  ])("is a[oa, ia] · b[ob, ib, κ] for [%i, %i] and [%i, %i, ...%j]", async (p, q, r, s, kernel) => {
    const [a, b] = [make([p, q], 1), make([r, s, ...kernel], 2)];
    const y = kron(a, b);
    expect(y.shape).toEqual([p * r, q * s, ...kernel]);
    expect([...(await y.data())]).toEqual(await byHand(a, b));
  });
  it("computes of a slice of rows only the blocks that it touches", async () => {
    const [weight, a, b] = [make([64, 24], 0), make([16, 6], 1), make([4, 4], 2)];
    const whole = await add(weight, kron(a, b)).data();
    const part = rows(add(weight, kron(a, b)), 5, 14);
    expect(await part.data()).toEqual(whole.slice(5 * 24, 14 * 24));
    expect(planGraph([part], [], () => false).plan.scratchBytes).toBeLessThanOrEqual(12 * 24 * 4);
  });
  it("names the shapes that it refuses", () => {
    expect(() => kron(make([2, 2, 2], 1), make([2, 2], 1))).toThrow(ShapeError);
    expect(() => kronLinear(make([3, 5], 1), make([2, 2], 1), make([2, 2], 1))).toThrow(/\[3,5\], \[2,2\], \[2,2\]/);
  });
});

describe("kronLinear", () => {
  it.each([
    [2, 3, 4, 5],
    [7, 2, 2, 6],
    [1, 1, 3, 4],
  ])("equals x · kron(a, b)ᵀ whichever product comes first: [%i, %i] and [%i, %i]", async (p, q, r, s) => {
    const [x, a, b] = [make([2, 3, q * s], 3), make([p, q], 1), make([r, s], 2)];
    const y = kronLinear(x, a, b);
    expect(y.shape).toEqual([2, 3, p * r]);
    const wanted = await matmul(x, swapLast(kron(a, b))).data();
    (await y.data()).forEach((v, i) => expect(v).toBeCloseTo(wanted[i]!, 5));
  });
});
