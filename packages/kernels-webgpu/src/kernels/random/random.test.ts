import * as w from "@weft/tensor-core";
import { describe, it } from "vitest";
import { expectSame, useTestDevice } from "../../testing/gpu.js";

const gpu = useTestDevice();

describe("random", () => {
  it.each([1, 2, 7, 128])("draws the bits of Threefry, %i of them", async (n) => {
    await expectSame(gpu.device, () => [w.randomBits(w.randomKey(42), [n]), w.randomBits(w.randomKey(2 ** 40 + 3), [3, n])]);
  });
  it("draws uniform, normal and Bernoulli numbers equal to the reference", async () => {
    const key = w.randomKey(7);
    await expectSame(gpu.device, () => [w.uniform(key, [33]), w.bernoulli(key, 0.3, [33])], { relative: 0, absolute: 0 });
    await expectSame(gpu.device, () => w.normal(key, [5, 7]), { relative: 1e-5, absolute: 1e-6 });
    await expectSame(gpu.device, () => w.splitKey(key, 3));
  });
});
