import { describe, expect, it } from "vitest";
import { ShapeError } from "../errors.js";
import type { Tensor } from "../graph.js";
import { gradients } from "../transforms/grad.js";
import { sum, tensor, zeros } from "../ops/index.js";
import { planGraph } from "../plan/plan-graph.js";
import { sizeOf } from "../shape.js";
import { weightNorm } from "./dora-norm.js";

const make = (shape: readonly number[], seed: number, size = 1): Tensor =>
  tensor(
    Float32Array.from({ length: sizeOf(shape) }, (_, i) => size * Math.sin(i * 1.3 + seed)),
    { shape },
  );

/** The norms in f64. */
async function byHand(weight: Tensor, a: Tensor, b: Tensor, scale: number): Promise<number[]> {
  const [w, A, B] = [await weight.data(), await a.data(), await b.data()];
  const [[out, width], rank] = [weight.shape as [number, number], a.shape[0]!];
  return Array.from({ length: out }, (_, o) => {
    let square = 0;
    for (let i = 0; i < width; i++) {
      let v = w[o * width + i]!;
      for (let r = 0; r < rank; r++) v += scale * B[o * rank + r]! * A[r * width + i]!;
      square += v * v;
    }
    return Math.sqrt(square);
  });
}

describe("weightNorm", () => {
  it.each([
    [5, 7, 2],
    [1, 40, 8],
    [33, 1, 1],
  ])("is the norm of each row of W + s·B·A, [%i, %i] with rank %i", async (out, width, r) => {
    const inputs = [make([out, width], 1), make([r, width], 2), make([out, r], 3)] as const;
    const got = await weightNorm(...inputs, 0.5).data();
    (await byHand(...inputs, 0.5)).forEach((v, i) => expect(Math.abs(got[i]! - v)).toBeLessThanOrEqual(1e-6 * v));
  });
  it("keeps its digits where the update cancels most of the weight", async () => {
    const [a, b] = [make([1, 50], 2), make([4, 1], 3)];
    const [av, bv] = [await a.data(), await b.data()];
    const opposite = Float32Array.from({ length: 200 }, (_, i) => -bv[Math.floor(i / 50)]! * av[i % 50]! + 2 ** -10 * Math.cos(i));
    const inputs = [tensor(opposite, { shape: [4, 50] }), a, b] as const;
    const got = await weightNorm(...inputs, 1).data();
    // Each element of the sum is known to 2^-24 of a weight that is 2^10 times as large.
    (await byHand(...inputs, 1)).forEach((v, i) => expect(Math.abs(got[i]! - v)).toBeLessThanOrEqual(2 ** -12 * v));
  });
  it("holds no more than a few tiles of the sum", async () => {
    const [weight, a, b] = [zeros([4096, 4096]), make([4, 4096], 2), make([4096, 4], 3)];
    const { plan } = planGraph([weightNorm(weight, a, b, 1)], [], () => false);
    expect(plan.scratchBytes).toBeLessThan(4096 * 4096);
  });
  it("has gradient 0 at a row of zeros", async () => {
    const w = zeros([1, 3]);
    const weight = tensor(new Float32Array(3), { shape: [1, 3] });
    const [dw] = gradients(sum(weightNorm(weight, make([2, 3], 1), zeros([1, 2]), 1)), [weight]);
    expect([...(await dw!.data())]).toEqual([...(await w.data())]);
  });
  it("names the shapes that it refuses", () => {
    expect(() => weightNorm(zeros([4, 3]), zeros([2, 3]), zeros([3, 2]), 1)).toThrow(ShapeError);
  });
});
