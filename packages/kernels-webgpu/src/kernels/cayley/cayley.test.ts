import * as w from "@weft/tensor-core";
import { describe, expect, it } from "vitest";
import { expectSame, kernelsOf, sample, ulp, useTestDevice } from "../../testing/gpu.js";

const gpu = useTestDevice();
const skew = (n: number, b: number, size = 1, dtype: w.DType = "f32"): w.Tensor => {
  const m = sample([n, b, b], dtype);
  return w.mul(w.sub(m, w.swapLast(m)), size);
};

describe("cayley", () => {
  it.each([
    [3, 1, 1],
    [70, 3, 1],
    [2, 16, 0.3],
    [3, 17, 0.3],
    [2, 33, 0.2],
    [1, 63, 0.1],
  ])("of %i blocks of %i in one kernel", async (n, b, size) => {
    await expectSame(gpu.device, () => w.cayley(skew(n, b, size)), { relative: 1e-5, absolute: 1e-5 });
    expect((await kernelsOf(gpu, w.cayley(skew(n, b, size)))).filter((k) => k.startsWith("cayley"))).toHaveLength(1);
  });
  it("of blocks that workgroup memory does not hold runs as products of halves, which it holds", async () => {
    const kernels = await kernelsOf(gpu, w.cayley(skew(1, 150, 0.1)));
    expect(kernels.filter((k) => k.startsWith("cayley"))).toEqual([]);
    expect(kernels.filter((k) => k.startsWith("inverse")).length).toBeGreaterThanOrEqual(2);
    await expectSame(gpu.device, () => w.cayley(skew(1, 150, 0.05)), { relative: 1e-4, absolute: 1e-4 });
  });
  it("rounds bf16 once", async () => {
    await expectSame(gpu.device, () => w.cayley(skew(3, 5, 0.5, "bf16")), { relative: ulp("bf16"), absolute: ulp("bf16") });
  });
});

describe("inverse", () => {
  it.each([5, 30])("of blocks of %i", async (b) => {
    const eye = w.cast(w.equal(w.iota([b, b], 0), w.iota([b, b], 1)), "f32");
    const m = (): w.Tensor => w.add(w.mul(w.add(skew(2, b, 0.3), eye), 2), w.mul(sample([2, b, b], "f32", 3), 0.02));
    await expectSame(gpu.device, () => w.inverse(m()), { relative: 1e-5, absolute: 1e-5 });
    expect((await kernelsOf(gpu, w.inverse(m()))).filter((k) => k.startsWith("inverse"))).toHaveLength(1);
  });
});
