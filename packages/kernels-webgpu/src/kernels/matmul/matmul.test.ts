import * as w from "@weft/tensor-core";
import { describe, expect, it } from "vitest";
import { expectSame, kernelsOf, numbers, sample, ulp, useTestDevice } from "../../testing/gpu.js";

const gpu = useTestDevice();

const x = sample;
// f32 sums of k products of size about 1: k·eps/2 at worst, far less in practice.
const close = { relative: 1e-5, absolute: 2e-5 };

describe("matmul", () => {
  it.each([
    [1, 1, 1],
    [5, 7, 9],
    [33, 65, 31],
    [64, 16, 64],
    [1, 65, 100],
    [3, 70, 66],
    [40, 33, 2],
    [65, 1, 65],
    [100, 300, 70],
  ])("multiplies [%i, %i] by [.., %i] in all transposes", async (m, k, n) => {
    const [a, b, at, bt] = [x([m, k]), x([k, n], "f32", 2), x([k, m], "f32", 3), x([n, k], "f32", 4)];
    await expectSame(
      gpu.device,
      () => [w.matmul(a, b), w.matmul(a, w.swapLast(bt)), w.matmul(w.swapLast(at), b), w.matmul(w.swapLast(at), w.swapLast(bt))],
      close,
    );
  });
  it("multiplies with the larger tiles", async () => {
    const [a, b] = [x([640, 20]), x([20, 650], "f32", 2)];
    expect(await kernelsOf(gpu, w.matmul(gpu.device.tensor(numbers(12800), { shape: [640, 20] }), b))).toEqual(["matmul 64x64"]);
    await expectSame(gpu.device, () => w.matmul(a, b), close);
    const [c, d] = [x([1300, 5]), x([5, 1290], "bf16", 2)];
    expect(await kernelsOf(gpu, w.matmul(gpu.device.tensor(numbers(6500), { shape: [1300, 5] }), d))).toEqual(["matmul 128x128"]);
    await expectSame(gpu.device, () => w.matmul(c, d), close);
  });
  it("batches, also over broadcast axes", async () => {
    await expectSame(
      gpu.device,
      () => [
        w.matmul(x([3, 5, 6]), x([3, 6, 9])),
        w.matmul(x([2, 3, 5, 6]), x([3, 6, 9])),
        w.matmul(x([2, 1, 8, 6]), x([3, 6, 9])),
        w.matmul(w.transpose(x([5, 2, 7]), [1, 0, 2]), x([2, 7, 6])),
      ],
      close,
    );
  });
  it.each(["bf16", "f16", "f8e4m3"] as const)("multiplies %s, alone and with f32", async (dtype) => {
    for (const n of [8, 9]) {
      const [a, b] = [x([9, 33], dtype), x([33, n], dtype, 2)];
      await expectSame(gpu.device, () => [w.matmul(a, b), w.matmul(w.rows(a, 0, 2), b)], { relative: ulp(dtype), absolute: 1e-5 });
      await expectSame(gpu.device, () => [w.matmul(x([9, 33]), b), w.matmul(a, x([33, n]))], close);
    }
  });
  it("cuts a long inner dimension", async () => {
    const [a, b] = [x([6, 3000]), x([3000, 7], "f32", 2)];
    expect(await kernelsOf(gpu, w.matmul(gpu.device.tensor(numbers(18000), { shape: [6, 3000] }), b))).toHaveLength(2);
    await expectSame(gpu.device, () => [w.matmul(a, b), w.matmul(w.cast(a, "bf16"), w.cast(b, "bf16"))], {
      relative: 2 ** -7,
      absolute: 1e-4,
    });
  });
  it("reads slices that start anywhere and flipped rows", async () => {
    const a = x([10, 20]);
    await expectSame(
      gpu.device,
      () => [
        w.matmul(
          w.slice(a, [
            [3, 9],
            [1, 18],
          ]),
          x([17, 5]),
        ),
        w.matmul(w.flip(a, [0, 1]), x([20, 5])),
        w.matmul(
          w.slice(
            w.cast(a, "bf16"),
            [
              [1, 10],
              [1, 20],
            ],
            [2, 3],
          ),
          x([7, 8]),
        ),
      ],
      close,
    );
  });
  it("gives the gradients of the reference", async () => {
    const [a, b] = [x([7, 12]), x([12, 9], "f32", 2)];
    await expectSame(gpu.device, () => w.gradients(w.sum(w.square(w.matmul(a, b))), [a, b]), { relative: 1e-5, absolute: 1e-4 });
    await expectSame(gpu.device, () => w.gradients(w.sum(w.square(w.linear(a, x([30, 12]), x([30], "f32", 3)))), [a]), {
      relative: 1e-5,
      absolute: 1e-3,
    });
  });
});
