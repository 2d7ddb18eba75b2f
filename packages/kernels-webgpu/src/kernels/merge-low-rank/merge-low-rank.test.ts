import * as w from "@weft/tensor-core";
import { describe, expect, it } from "vitest";
import { expectSame, kernelsOf, sample as x, ulp, useTestDevice } from "../../testing/gpu.js";

const gpu = useTestDevice();

describe("mergeLowRank", () => {
  it.each([
    [33, 40, 4],
    [5, 70, 1],
    [65, 9, 16],
    [3, 4, 2],
  ])("adds a rank update to [%i, %i] (rank %i) in one kernel", async (n, k, r) => {
    const call = (): w.Tensor => w.mergeLowRank(x([n, k]), x([r, k], "f32", 2), x([n, r], "f32", 3), { scale: 0.25 });
    expect(await kernelsOf(gpu, call())).toHaveLength(1);
    await expectSame(gpu.device, call, { relative: 1e-6, absolute: 1e-6 });
  });
  it("rounds Δ first where asked, stores other dtypes and transposed weights", async () => {
    for (const dtype of ["bf16", "f16"] as const) {
      const [weight, a, b] = [x([34, 21], dtype), x([4, 21], "f32", 2), x([34, 4], "f32", 3)];
      const tolerance = { relative: ulp(dtype), absolute: ulp(dtype) };
      await expectSame(
        gpu.device,
        () => [w.mergeLowRank(weight, a, b, { scale: 0.5 }), w.mergeLowRank(weight, a, b, { scale: 0.5, deltaDtype: dtype })],
        tolerance,
      );
      await expectSame(gpu.device, () => [w.mergeLowRank(x([21, 34], dtype), a, b, { scale: 1, transposed: true, dtype: "f32" })], {
        relative: 1e-6,
        absolute: 1e-6,
      });
    }
  });
});
