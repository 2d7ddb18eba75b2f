import { cast, compile, Device, linear, matmul, mul, type Tensor } from "@weft/tensor-core";
import { describe, expect, it } from "vitest";
import { createOnnxBackend } from "./backend.js";
import type { OnnxExecutable } from "./executable.js";
import { hasRuntime, REASON } from "./testing/runtime.js";

describe.skipIf(!hasRuntime())(`the backend on onnxruntime${REASON}`, () => {
  it("leaves the event loop free while it runs", async () => {
    using device = new Device(await createOnnxBackend({ threads: 1 }));
    const x = device.tensor(new Float32Array(512 * 512).fill(1e-3), { shape: [512, 512] });
    const powers = compile((t: Tensor) => Array.from({ length: 40 }).reduce((y: Tensor) => matmul(y, t), t));
    await powers.prepare(x);
    let running = true;
    const done = powers(x).finally(() => (running = false));
    let turns = 0;
    for (; running; turns++) await new Promise((resolve) => setImmediate(resolve));
    await done;
    expect(turns).toBeGreaterThan(5);
  });

  it("gives an error for what is asked for after dispose, and to what waits", async () => {
    const device = new Device(await createOnnxBackend({ threads: 1 }));
    const x = device.tensor([1, 2]);
    await mul(x, 2).data();
    device.dispose();
    device.dispose();
    await expect(device.backend.download(device.backend.allocate(8), 0, 8)).rejects.toThrow("after dispose()");
  });

  it("runs what was asked for at once in the order of the calls", async () => {
    using device = new Device(await createOnnxBackend({ threads: 2 }));
    const double = compile((t: Tensor) => mul(t, 2), { device });
    const inputs = Array.from({ length: 20 }, (_, i) => device.tensor([i, i + 0.5]));
    const results = await Promise.all(inputs.map((t) => double(t)));
    for (const [i, r] of results.entries()) expect([...(await r.data())]).toEqual([2 * i, 2 * i + 1]);
  });

  it.each(["f32", "bf16", "f16"] as const)(
    "keeps %s weights of products with few rows in the model, and computes the same",
    async (dtype) => {
      const backend = await createOnnxBackend({ threads: 1 });
      using device = new Device(backend);
      const values = Float32Array.from({ length: 200 * 64 }, (_, i) => ((i * 37) % 101) / 50 - 1);
      const weight = cast(device.tensor(values, { shape: [200, 64] }), dtype);
      await device.evaluate([weight]);
      const layer = compile((t: Tensor) => linear(t, weight), { device });
      const x = device.tensor(values.subarray(0, 64), { shape: [1, 64] });
      const { executable } = await layer.prepare(x);
      using expected = linear(x, weight); // not compiled: its weight is an input
      const wanted = [...(await expected.data())];
      expect([...(await (await layer(x)).data())].map((v, i) => Math.abs(v - wanted[i]!) < 1e-5)).toEqual(wanted.map(() => true));
      expect((executable as OnnxExecutable).fed).toBe(1);
    },
  );
});
