import * as w from "@weft/tensor-core";
import { describe, expect, it } from "vitest";
import { expectSame, kernelsOf, sample as x, ulp, useTestDevice } from "../../testing/gpu.js";

const gpu = useTestDevice();
const call = (rows: number[], p: number, q: number, r: number, s: number, dtype: w.DType = "f32"): w.Tensor =>
  w.kronLinear(x([...rows, q * s], dtype), x([p, q], dtype, 2), x([r, s], dtype, 3));

describe("kronLinear", () => {
  it.each([
    [[1], 2, 3, 4, 5],
    [[2, 3], 8, 8, 40, 33],
    [[8], 1, 17, 16, 64],
    [[3], 33, 1, 7, 100],
  ])("of rows %j, [%i, %i] ⊗ [%i, %i] in one kernel", async (rows, p, q, r, s) => {
    await expectSame(gpu.device, () => call(rows, p, q, r, s), { relative: 1e-5, absolute: 2e-5 * Math.sqrt(q) });
    expect(await kernelsOf(gpu, call(rows, p, q, r, s))).toEqual(["kronLinear"]);
  });
  it("rounds once", async () => {
    for (const dtype of ["bf16", "f16"] as const)
      await expectSame(gpu.device, () => call([3], 3, 5, 7, 9, dtype), { relative: 2 * ulp(dtype), absolute: 8 * ulp(dtype) });
  });
  it("of many rows, or with a large first factor, runs as two products", async () => {
    for (const t of [() => call([20], 3, 5, 7, 9), () => call([2], 3, 130, 5, 2)]) {
      expect((await kernelsOf(gpu, t())).filter((k) => k.startsWith("kron"))).toEqual([]);
      await expectSame(gpu.device, t, { relative: 1e-5, absolute: 2e-4 });
    }
  });
});
