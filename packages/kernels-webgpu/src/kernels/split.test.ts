import * as w from "@weft/tensor-core";
import { beforeAll, describe, expect, it } from "vitest";
import { expectSame, kernelsOf, sample as x, useTestDevice } from "../testing/gpu.js";

const gpu = useTestDevice();
// As if the GPU could bind 1 KiB at a time.
beforeAll(() => void Object.assign(gpu.backend.limits, { maxBinding: 1024 }));

const close = { relative: 1e-5, absolute: 1e-5 };

describe("tensors larger than one binding", () => {
  it("are computed elementwise part by part, indices, in-place steps and packed words included", async () => {
    expect((await kernelsOf(gpu, w.exp(x([50, 11])))).length).toBeGreaterThan(1);
    await expectSame(
      gpu.device,
      () => [
        w.exp(x([50, 11])),
        w.add(w.iota([50, 11], 0), w.iota([50, 11], 1)),
        w.add(x([700], "bf16"), 1),
        w.add(w.transpose(x([9, 80]), [1, 0]), 1),
        w.less(x([1, 3, 997]), 0),
      ],
      close,
    );
    await expectSame(gpu.device, () => w.exp(w.cumsum(w.mul(w.matmul(x([30, 4]), x([4, 8])), 2))), { relative: 1e-4, absolute: 1e-4 });
  });
  it("are reduced by parts of their rows", async () => {
    await expectSame(
      gpu.device,
      () => [w.softmax(x([40, 30])), w.sum(x([3, 20, 30]), { axes: [2] }), w.rmsNorm(x([50, 41], "bf16"), x([41], "bf16"), 1e-5)],
      { relative: 2 ** -7, absolute: 1e-5 },
    );
  });
  it("are summed over their rows by parts of the rows", async () => {
    expect((await kernelsOf(gpu, w.sum(x([50, 40]), { axes: [0] }))).length).toBeGreaterThan(2);
    await expectSame(gpu.device, () => [w.sum(x([50, 40]), { axes: [0] }), w.sum(x([900, 3]), { axes: [0] })], close);
  });
  it("are multiplied by rows, columns or entries of the batch", async () => {
    await expectSame(
      gpu.device,
      () => [
        w.matmul(x([70, 8]), x([8, 5])),
        w.matmul(x([5, 8]), x([8, 41])),
        w.matmul(x([2, 8]), w.swapLast(x([70, 8]))),
        w.matmul(x([7, 10, 8]), x([7, 8, 9])),
        w.cast(w.matmul(x([5, 8], "bf16"), w.swapLast(x([72, 8], "bf16"))), "f32"),
        w.matmul(x([40, 20]), x([20, 40])),
      ],
      { relative: 2 ** -7, absolute: 1e-5 },
    );
  });
  it("are looked up part by part", async () => {
    const ids = w.tensor(Int32Array.from({ length: 90 }, (_, i) => (i * 37) % 101));
    await expectSame(gpu.device, () => [
      w.embedding(x([101, 7]), ids),
      w.embedding(x([101, 3], "bf16"), ids),
      w.embedding(x([10, 4]), w.mod(ids, 10)),
    ]);
  });
  it("make composites run as decompositions", async () => {
    const call = (): w.Tensor => w.loraLinear(x([5, 8]), x([70, 8]), x([2, 8]), x([70, 2]), 0.5);
    expect((await kernelsOf(gpu, call())).some((k) => k.startsWith("loraLinear"))).toBe(false);
    await expectSame(gpu.device, call, close);
  });
  it("are refused by kernels that cannot be split, with both sizes", async () => {
    await expect(gpu.device.evaluate([w.cumsum(x([2, 300]))])).rejects.toMatchObject({
      kind: "binding-too-large",
      message: expect.stringMatching(/"scan" .* 2400 bytes.* 1024/),
    });
  });
});
