import * as w from "@weft/tensor-core";
import { describe, expect, it } from "vitest";
import { expectSame, kernelsOf, sample as x, ulp, useTestDevice } from "../../testing/gpu.js";

const gpu = useTestDevice();
const close = { relative: 1e-5, absolute: 2e-5 };

const call = (m: number, k: number, n: number, r: number, dtype: w.DType = "f32", adapter: w.DType = "f32", bias = true): w.Tensor =>
  w.loraLinear(
    x([m, k], dtype),
    x([n, k], dtype, 2),
    x([r, k], adapter, 3),
    x([n, r], adapter, 4),
    0.5,
    bias ? x([n], dtype, 5) : undefined,
  );

describe("loraLinear", () => {
  it.each([
    [33, 40, 35, 4],
    [1, 64, 65, 8],
    [3, 17, 5, 1],
    [65, 30, 9, 16],
  ])("equals its decomposition: %i rows, %i → %i, rank %i", async (m, k, n, r) => {
    await expectSame(gpu.device, () => [call(m, k, n, r), call(m, k, n, r, "f32", "f32", false)], close);
  });
  it("takes leading axes", async () => {
    await expectSame(gpu.device, () => w.loraLinear(x([2, 3, 8]), x([6, 8]), x([2, 8]), x([6, 2]), 2), close);
  });
  it.each([
    ["bf16", "bf16"],
    ["bf16", "f32"],
    ["f16", "f16"],
  ] as const)("rounds once to %s with an adapter in %s", async (dtype, adapter) => {
    await expectSame(gpu.device, () => [call(9, 32, 10, 4, dtype, adapter), call(2, 32, 9, 4, dtype, adapter)], {
      relative: 2 * ulp(dtype),
      absolute: 4 * ulp(dtype),
    });
  });
  it("runs as two kernels when claimed, as its decomposition where roundings in between matter", async () => {
    expect(await kernelsOf(gpu, call(33, 40, 35, 4))).toEqual(["loraLinear down vector", "loraLinear 32x32"]);
    expect((await kernelsOf(gpu, call(33, 40, 35, 4, "f32", "bf16"))).some((k) => k.startsWith("loraLinear"))).toBe(false);
  });
  it("gives the gradients of the reference", async () => {
    const inputs = [x([5, 8]), x([6, 8]), x([2, 8], "f32", 2), x([6, 2], "f32", 3)] as const;
    await expectSame(gpu.device, () => w.gradients(w.sum(w.square(w.loraLinear(...inputs, 0.7))), inputs), {
      relative: 1e-5,
      absolute: 1e-4,
    });
  });
});
