import * as w from "@weft/tensor-core";
import { describe, it } from "vitest";
import { expectSame, sample, ulp, useTestDevice } from "../../testing/gpu.js";

const gpu = useTestDevice();
const x = sample;

describe("conv", () => {
  const close = { relative: 1e-5, absolute: 1e-5 };
  it("convolves in one, two and three dimensions", async () => {
    await expectSame(
      gpu.device,
      () => [
        w.conv(x([2, 3, 11]), x([5, 3, 4], "f32", 2), { stride: 2, padding: 1 }),
        w.conv(x([2, 4, 7, 9]), x([6, 4, 3, 3], "f32", 2), { padding: 1 }),
        w.conv(x([1, 2, 4, 5, 6]), x([5, 2, 2, 3, 1], "f32", 2), { dilation: [1, 2, 1] }),
      ],
      close,
    );
  });
  it("takes groups, one-sided and negative padding, dilation of both sides", async () => {
    await expectSame(
      gpu.device,
      () => [
        w.conv(x([2, 6, 8]), x([6, 1, 4], "f32", 2), { groups: 6, padding: [[3, 0]] }),
        w.conv(x([1, 4, 6, 6]), x([10, 2, 3, 2], "f32", 2), {
          groups: 2,
          inputDilation: 2,
          padding: [
            [2, 1],
            [-1, 2],
          ],
          dilation: [2, 1],
        }),
        w.conv(x([1, 3, 10]), x([7, 3, 2], "f32", 2), { padding: [[-2, -1]], stride: 3 }),
      ],
      close,
    );
  });
  it("stores bf16", async () => {
    await expectSame(
      gpu.device,
      () => [w.conv(x([1, 3, 9, 9], "bf16"), x([5, 3, 3, 3], "bf16", 2)), w.conv(x([1, 3, 9, 10], "bf16"), x([6, 3, 3, 3], "f32", 2))],
      { relative: ulp("bf16"), absolute: 1e-5 },
    );
  });
  it("gives the gradients of the reference", async () => {
    const [v, k] = [x([2, 4, 6, 5]), x([6, 2, 3, 3], "f32", 2)];
    await expectSame(gpu.device, () => w.gradients(w.sum(w.square(w.conv(v, k, { groups: 2, stride: 2, padding: 1 }))), [v, k]), {
      relative: 1e-5,
      absolute: 1e-4,
    });
  });
});
