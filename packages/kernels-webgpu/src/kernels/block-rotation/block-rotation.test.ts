import * as w from "@weft/tensor-core";
import { describe, expect, it } from "vitest";
import { expectSame, kernelsOf, sample as x, ulp, useTestDevice } from "../../testing/gpu.js";

const gpu = useTestDevice();
const close = { relative: 1e-5, absolute: 1e-5 };
const call = (rows: number, n: number, b: number, dtype: w.DType = "f32"): w.Tensor =>
  w.blockRotate(x([rows, n * b], dtype), x([n, b, b], dtype, 2));

describe("blockRotate", () => {
  it.each([
    [35, 3, 4],
    [3, 5, 7],
    [40, 6, 2],
    [1, 4, 9],
    [9, 2, 33],
  ])("turns the columns of %i rows in %i blocks of %i, in place", async (rows, n, b) => {
    await expectSame(gpu.device, () => call(rows, n, b), close);
    expect(await kernelsOf(gpu, call(rows, n, b))).toHaveLength(1);
  });
  it("stores packed dtypes whose blocks begin between words", async () => {
    for (const dtype of ["bf16", "f16"] as const)
      for (const [rows, b] of [
        [9, 5],
        [9, 8],
        [2, 5],
        [30, 3],
      ] as const)
        await expectSame(gpu.device, () => call(rows, 3, b, dtype), { relative: ulp(dtype), absolute: ulp(dtype) });
  });
  it("takes leading axes, and one block for all as a plain product", async () => {
    await expectSame(gpu.device, () => [w.blockRotate(x([2, 3, 12]), x([2, 6, 6])), w.blockRotate(x([5, 12]), x([1, 4, 4]))], close);
    expect(await kernelsOf(gpu, w.blockRotate(x([40, 12]), x([1, 6, 6])))).toEqual(["matmul 32x32"]);
  });
});
