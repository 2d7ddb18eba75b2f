import * as w from "@weft/tensor-core";
import { describe, expect, it } from "vitest";
import { expectSame, kernelsOf, numbers, openTestDevice, sample, ulp, useTestDevice } from "../../testing/gpu.js";

const gpu = useTestDevice();

const x = sample;
const close = { relative: 1e-5, absolute: 1e-5 };

describe("programs with row reductions", () => {
  it.each([
    [1, 1],
    [3, 1],
    [5, 7],
    [2, 33],
    [3, 64],
    [2, 300],
    [70, 5],
  ])("reduces %i rows of %i elements", async (rows, length) => {
    const v = x([rows, length]);
    const last = { axes: [1] };
    await expectSame(
      gpu.device,
      () => [
        w.sum(v, last),
        w.prod(w.add(w.mul(v, 0.1), 1), last),
        w.max(v, last),
        w.min(v, last),
        w.mean(w.square(v)),
        w.sum(w.less(v, 0), last),
      ],
      close,
    );
  });
  it("normalises in one kernel", async () => {
    for (const n of [6, 64, 257]) {
      const [v, weight, bias] = [x([5, n]), x([n], "f32", 2), x([n], "f32", 3)];
      expect(w.explain(w.softmax(gpu.device.tensor(numbers(2 * n), { shape: [2, n] })))).toContain("1 kernels");
      await expectSame(
        gpu.device,
        () => [w.softmax(v), w.rmsNorm(v, weight, 1e-5), w.layerNorm(v, weight, bias, 1e-5), w.logSumExp(v, { axes: [1] })],
        close,
      );
    }
  });
  it.each(["bf16", "f16", "f8e5m2"] as const)("stores %s rows of odd and even length", async (dtype) => {
    for (const n of [7, 8, 130, 131]) {
      const v = x([5, n], dtype);
      // One step of the last place: sums in another order may round the other way.
      await expectSame(
        gpu.device,
        () => [w.softmax(v), w.rmsNorm(v, x([n], dtype, 2), 1e-5), w.max(v, { axes: [1] }), w.sum(v, { axes: [1] })],
        { relative: ulp(dtype), absolute: 1e-5 },
      );
    }
  });
  it("reduces leading, middle and all axes, integers and empty results", async () => {
    const v = x([4, 5, 6]);
    await expectSame(
      gpu.device,
      () => [
        w.max(v, { axes: [0] }),
        w.sum(v, { axes: [1] }),
        w.sum(v, { axes: [0, 2], keepDims: true }),
        w.sum(v),
        w.sum(x([9, 11], "i32"), { axes: [0] }),
        w.max(x([9, 11], "i8"), { axes: [1] }),
      ],
      close,
    );
  });
  it("lets NaN win in max and min", async () => {
    const v = w.tensor([
      [1, NaN, 3],
      [4, 5, 6],
    ]);
    await expectSame(gpu.device, () => [w.max(v, { axes: [1] }), w.min(v, { axes: [1] })]);
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
  it("gives the gradients of the reference", async () => {
    const v = x([3, 40]);
    await expectSame(gpu.device, () => w.grad((p: w.Tensor) => w.sum(w.square(w.softmax(p))))(v), close);
    await expectSame(
      gpu.device,
      () => w.grad((p: w.Tensor) => w.sum(w.mul(w.layerNorm(p, x([40], "f32", 5), x([40]), 1e-5), x([3, 40], "f32", 9))))(v),
      close,
    );
    await expectSame(gpu.device, () => w.grad((p: w.Tensor) => w.softmaxCrossEntropy(p, w.tensor(Int32Array.of(3, -100, 39))))(v), close);
  });
});
