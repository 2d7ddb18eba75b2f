import * as w from "@weft/tensor-core";
import { describe, expect, it } from "vitest";
import { expectSame, sample, useTestDevice } from "../../testing/gpu.js";

const gpu = useTestDevice();
const x = sample;

describe("scatterAdd", () => {
  it("is the gradient of an embedding, the same bits at every run", async () => {
    const ids = w.tensor(Int32Array.from({ length: 200 }, (_, i) => (i * 7) % 11));
    const table = gpu.device.tensor(await x([13, 9]).data(), { shape: [13, 9] });
    const dy = w.tensor(await x([200, 9], "f32", 4).data(), { shape: [200, 9] });
    const gradient = (): Promise<Float32Array | Int32Array> => w.gradients(w.sum(w.mul(w.embedding(table, ids), dy)), [table])[0]!.data();
    const first = await gradient();
    expect([...(await gradient())]).toEqual([...first]);
    await expectSame(gpu.device, () => w.grad((t: w.Tensor) => w.sum(w.mul(w.embedding(t, ids), dy)))(x([13, 9])), {
      relative: 1e-5,
      absolute: 1e-5,
    });
  });
});
