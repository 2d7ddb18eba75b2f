import * as w from "@weft/tensor-core";
import { describe, expect, it } from "vitest";
import { expectSame, kernelsOf, numbers, sample, useTestDevice } from "../../testing/gpu.js";

const gpu = useTestDevice();

const x = sample;
// f32 sums of k products of size about 1: k·eps/2 at worst, far less in practice.
const close = { relative: 1e-5, absolute: 2e-5 };

describe("matmul", () => {
  it("multiplies with the larger tiles", async () => {
    const [a, b] = [x([640, 20]), x([20, 650], "f32", 2)];
    expect(await kernelsOf(gpu, w.matmul(gpu.device.tensor(numbers(12800), { shape: [640, 20] }), b))).toEqual(["matmul 64x64"]);
    await expectSame(gpu.device, () => w.matmul(a, b), close);
    const [c, d] = [x([1300, 5]), x([5, 1290], "bf16", 2)];
    expect(await kernelsOf(gpu, w.matmul(gpu.device.tensor(numbers(6500), { shape: [1300, 5] }), d))).toEqual(["matmul 128x128"]);
    await expectSame(gpu.device, () => w.matmul(c, d), close);
  });
  it("cuts a long inner dimension", async () => {
    const [a, b] = [x([6, 3000]), x([3000, 7], "f32", 2)];
    expect(await kernelsOf(gpu, w.matmul(gpu.device.tensor(numbers(18000), { shape: [6, 3000] }), b))).toHaveLength(2);
    await expectSame(gpu.device, () => [w.matmul(a, b), w.matmul(w.cast(a, "bf16"), w.cast(b, "bf16"))], {
      relative: 2 ** -7,
      absolute: 1e-4,
    });
  });
  it.each(["bf16", "f16", "f8e4m3", "f8e5m2"] as const)(
    "few rows with %s weights, whose words are whole, or begin and end anywhere",
    async (dtype) => {
      const [rows, long, wide] = [x([3, 40]), x([9, 40], dtype, 2), x([40, 72], dtype, 3)];
      const box = (t: w.Tensor, r: number, c: number): w.Tensor =>
        w.slice(t, [
          [r, t.shape[0]!],
          [c, t.shape[1]!],
        ]);
      await expectSame(
        gpu.device,
        () => [
          w.matmul(rows, w.swapLast(long)),
          w.matmul(w.rows(rows, 0, 1), w.swapLast(long)),
          w.matmul(rows, wide),
          // An odd first element, and lines of odd length.
          w.matmul(box(rows, 0, 1), w.swapLast(box(long, 0, 1))),
          w.matmul(box(rows, 1, 0), box(wide, 0, 3)),
          w.matmul(x([2, 3, 8]), x([2, 8, 12], dtype, 4)),
        ],
        close,
      );
    },
  );
});
