import * as w from "@weft/tensor-core";
import { describe, expect, it } from "vitest";
import { expectSame, kernelsOf, sample as x, useTestDevice } from "../../testing/gpu.js";

const gpu = useTestDevice();
const both = (t: w.Tensor, k: number): w.Tensor[] => Object.values(w.topK(t, k));

describe("topK", () => {
  it.each([
    [[1], 1],
    [[5], 5],
    [[3, 7], 2],
    [[2, 3, 300], 9],
    [[0, 4], 2],
  ])("equals its decomposition: %o, k %i", async (shape, k) => {
    await expectSame(gpu.device, () => both(x(shape), k), { relative: 0, absolute: 0 });
  });
  it.each(["bf16", "f16", "f8e4m3", "i32", "i8", "u8", "bool"] as const)("takes %s, in which many are equal", async (dtype) => {
    await expectSame(gpu.device, () => both(w.abs(x([3, 70], dtype)), 7), { relative: 0, absolute: 0 });
  });
  it("puts the lower index first, counts NaN as ∞, and takes -∞ last", async () => {
    const t = (): w.Tensor =>
      w.tensor([
        [-Infinity, 2, 2, -Infinity, 2],
        [1, NaN, Infinity, NaN, -1],
        [-Infinity, -Infinity, -Infinity, -Infinity, -Infinity],
      ]);
    await expectSame(gpu.device, () => both(t(), 5));
    const { indices } = w.topK(t(), 5);
    await gpu.device.evaluate([indices]);
    expect([...(await indices.data())]).toEqual([1, 2, 4, 0, 3, 1, 2, 3, 0, 4, 0, 1, 2, 3, 4]);
  });
  it("gives its gradient to what it took", async () => {
    await expectSame(gpu.device, () => {
      const t = x([3, 40]);
      return w.gradients(w.sum(w.square(w.topK(t, 4).values)), [t]);
    });
  });
  it("is one kernel, where the decomposition is programs over the rows and concatenations", async () => {
    const total = (k: number): w.Tensor => both(x([3, 100]), k).reduce((a, b) => w.add(w.sum(a), w.sum(b)));
    const [claimed, plain] = [await kernelsOf(gpu, total(20)), await kernelsOf(gpu, total(20), false)];
    expect(claimed.filter((name) => name === "topK")).toHaveLength(1);
    expect(plain.length).toBeGreaterThan(claimed.length + 5);
  });
});
