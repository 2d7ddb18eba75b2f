import * as w from "@weft/tensor-core";
import { describe, expect, it } from "vitest";
import { expectSame, kernelsOf, numbers, openTestDevice, sample, useTestDevice } from "../../testing/gpu.js";

const gpu = useTestDevice();

const x = sample;
const close = { relative: 1e-5, absolute: 1e-5 };

describe("programs with row reductions", () => {
  it("normalises in one kernel", async () => {
    for (const n of [6, 64, 257]) {
      const [v, weight, bias] = [x([5, n]), x([n], "f32", 2), x([n], "f32", 3)];
      expect(await w.explain(w.softmax(gpu.device.tensor(numbers(2 * n), { shape: [2, n] })))).toContain("1 kernels");
      await expectSame(
        gpu.device,
        () => [w.softmax(v), w.rmsNorm(v, weight, 1e-5), w.layerNorm(v, weight, bias, 1e-5), w.logSumExp(v, { axes: [1] })],
        close,
      );
    }
  });
  it("reduces over subgroups of any size where the GPU has them, else in workgroup memory", async () => {
    const small = await openTestDevice({ defaultLimits: true });
    expect(gpu.backend.limits.subgroups).toBe(gpu.backend.device.features.has("subgroups"));
    expect(small.backend.limits.subgroups).toBe(false);
    const v = x([3, 1000]);
    const results = (): w.Tensor[] => [
      w.softmax(v),
      w.layerNorm(v, x([1000], "f32", 2), x([1000], "f32", 3), 1e-5),
      w.max(v, { axes: [1] }),
      w.sum(x([3, 999], "i32"), { axes: [1] }),
      w.max(
        w.tensor(
          Float32Array.from({ length: 600 }, (_, i) => (i === 333 ? NaN : i)),
          { shape: [2, 300] },
        ),
        { axes: [1] },
      ),
    ];
    for (const { device } of [gpu, small]) await expectSame(device, results, close);
    small.device.dispose();
  });
  it("reduces one long row by many workgroups", async () => {
    const v = x([2, 70001]);
    await expectSame(gpu.device, () => [w.sum(w.square(v), { axes: [1] }), w.norm(v), w.mul(w.max(v, { axes: [1] }), 2)], {
      relative: 2e-5,
      absolute: 1e-4,
    });
    const explained = await kernelsOf(gpu, w.norm(gpu.device.tensor(numbers(70001))));
    expect(explained.length).toBe(2);
  });
});
