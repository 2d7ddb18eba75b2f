import { compile, Device, gather, matmul, mul, ShapeError, type Tensor } from "@weft/tensor-core";
import { describe, expect, it } from "vitest";
import { createOnnxBackend } from "./backend.js";
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

  it("says which index is wrong, also a negative one", async () => {
    using device = new Device(await createOnnxBackend({ threads: 1 }));
    const x = device.tensor([1, 2, 3]);
    for (const index of [3, -1]) {
      const wrong = gather(x, device.tensor([index], { dtype: "i32" }), 0).data();
      await expect(wrong).rejects.toThrow(ShapeError);
      await expect(wrong).rejects.toThrow(`gather: index ${index} is outside an axis of 3 elements`);
    }
    expect([...(await mul(x, 2).data())]).toEqual([2, 4, 6]);
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
});
