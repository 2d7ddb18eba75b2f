import { Device, matmul, mergeLowRank, softmax, tensor } from "@weft/tensor-core";
import { expect, it } from "vitest";
import { createWasmBackend } from "./index.js";

const a = Float32Array.from({ length: 6 * 5 }, (_, i) => Math.sin(i));
const b = Float32Array.from({ length: 5 * 7 }, (_, i) => Math.cos(i));

it("runs in a page as it does in Node", async () => {
  const device = new Device(await createWasmBackend({ threads: 1 }));
  const product = (make: (v: Float32Array, shape: number[]) => ReturnType<typeof tensor>) =>
    softmax(matmul(make(a, [6, 5]), make(b, [5, 7])));
  const got = await product((v, shape) => device.tensor(v, { shape })).data();
  const want = await product((v, shape) => tensor(v, { shape })).data();
  want.forEach((v, i) => expect(got[i]).toBeCloseTo(v, 5));
  const w = device.tensor(a, { shape: [6, 5], dtype: "bf16" });
  const merged = mergeLowRank(
    w,
    device.tensor(b.subarray(0, 10), { shape: [2, 5] }),
    device.tensor(b.subarray(10, 22), { shape: [6, 2] }),
    { scale: 0.5 },
  );
  expect(merged.dtype).toBe("bf16");
  expect((await merged.data()).every(Number.isFinite)).toBe(true);
  device.dispose();
});

it("shares memory with worker threads in a worker of an isolated page", async () => {
  expect(crossOriginIsolated).toBe(true);
  const worker = new Worker(new URL("./testing/browser-worker.ts", import.meta.url), { type: "module" });
  const answer = await new Promise<{ threads: number; gap: number } | { error: string }>((resolve) => {
    worker.onmessage = (e: MessageEvent<{ threads: number; gap: number }>) => resolve(e.data);
    worker.onerror = (e) => resolve({ error: e.message });
  });
  worker.terminate();
  expect(answer).toEqual({ threads: 2, gap: expect.any(Number) });
  expect((answer as { gap: number }).gap).toBeLessThan(1e-3);
});
