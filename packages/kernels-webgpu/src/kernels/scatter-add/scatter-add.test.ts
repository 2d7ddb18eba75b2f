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

  it("adds up indices that repeat far apart, and leaves out those that are none", async () => {
    // More than three blocks of the 256 updates that are compared with one another: index 3 is in every block, 7 only in the first and the last.
    const ids = Array.from({ length: 900 }, (_, i) =>
      i === 5 || i === 890 ? 7 : i % 50 === 0 ? 3 : i % 31 === 0 ? 99 : 10 + ((i * 13) % 23),
    );
    const sums = (outside: number): w.Tensor => {
      const index = w.tensor(Int32Array.from(ids, (id) => (id === 99 ? outside : id)));
      return w.rows(w.scatterAdd(x([40, 3]), index, x([900, 3], "f32", 2)), 0, 39);
    };
    const got = sums(99);
    await gpu.device.evaluate([got]);
    const wanted = await sums(39).data();
    // Sums of about 45 updates of size about 1.
    (await got.data()).forEach((v, i) => expect(Math.abs(v - wanted[i]!)).toBeLessThan(1e-5 * (1 + Math.abs(wanted[i]!))));
  });
});
