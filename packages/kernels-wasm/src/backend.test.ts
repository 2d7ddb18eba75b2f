import { availableParallelism } from "node:os";
import { compile, Device, matmul, mergeLowRank, mul, slice, swapLast, tensor, type Tensor } from "@weft/tensor-core";
import { firstDifference } from "@weft/tensor-core/testing";
import { describe, expect, it, afterAll } from "vitest";
import { createWasmBackend, WasmBackend } from "./backend.js";

let seed = 7;
const random = (n: number): Float32Array => Float32Array.from({ length: n }, () => (seed = (seed * 48271) % 2147483647) / 1073741824 - 1);

describe.each([1, 2])("the CPU backend on %i threads", (threads) => {
  const device = new Device(new WasmBackend({ threads }));
  afterAll(() => device.dispose());

  it.each([
    [1, 300, 130],
    [2, 64, 257],
    [130, 300, 520],
  ])("matmul %i×%i·%i", async (m, k, n) => {
    const [a, b] = [random(m * k), random(k * n)];
    const x = device.tensor(a, { shape: [m, k] });
    const expected = await matmul(tensor(a, { shape: [m, k] }), tensor(b, { shape: [k, n] })).data();
    const forms = {
      nn: matmul(x, device.tensor(b, { shape: [k, n] })),
      nt: matmul(x, swapLast(device.tensor((await swapLast(tensor(b, { shape: [k, n] })).data()) as Float32Array, { shape: [n, k] }))),
    };
    for (const y of Object.values(forms)) {
      // f32 sums of k products below 1: each partial sum of size up to √k rounds by eps/2 of it.
      expect(firstDifference(await y.data(), expected, { relative: 0, absolute: k * Math.sqrt(k) * 6e-8 + 1e-7 })).toBeUndefined();
    }
  });

  it("rows of a merge equal the merge of rows", async () => {
    const w = device.tensor(random(64 * 32), { shape: [64, 32], dtype: "bf16" });
    const [a, b] = [device.tensor(random(4 * 32), { shape: [4, 32] }), device.tensor(random(64 * 4), { shape: [64, 4] })];
    const whole = await mergeLowRank(w, a, b, { scale: 2 }).data();
    const part = await mergeLowRank(slice(w, [[16, 48]]), a, slice(b, [[16, 48]]), { scale: 2 }).data();
    expect([...part]).toEqual([...whole.subarray(16 * 32, 48 * 32)]);
  });

  it.each<["f32" | "f16" | "bf16"]>([["f32"], ["f16"], ["bf16"]])("finds the first %s that is not finite", async (dtype) => {
    const { backend } = device as unknown as { backend: WasmBackend };
    const values = random(10_000);
    const find = (): Promise<number> => backend.firstNonFinite(device.bufferOf(device.tensor(values, { dtype })), dtype, values.length);
    expect(await find()).toBe(-1);
    values[9_999] = -Infinity;
    expect(await find()).toBe(9_999);
    values[4_097] = NaN;
    expect(await find()).toBe(4_097);
  });
});

it("a loop that disposes of its results stays within its memory", async () => {
  const device = new Device(new WasmBackend({ threads: 1, maxMemoryBytes: 32 << 20 }));
  const step = compile((x: Tensor) => mul(x, 2), { device });
  const x = device.tensor(new Float32Array(1 << 18).fill(1));
  for (let i = 0; i < 100; i++) {
    const y = await step(x);
    if (i === 99) expect((await y.data())[0]).toBe(2);
    y.dispose();
  }
  x.dispose();
  expect((await (await step(x)).data())[1]).toBe(2); // a constant is uploaded again
  device.dispose();
});

it("as many threads as the machine has cores, at most 8", async () => {
  const backend = await createWasmBackend();
  expect(backend.capabilities.threads).toBe(Math.min(8, availableParallelism()));
  backend.dispose();
});

it("the memory reserves no more than it may take", async () => {
  const { capabilities } = await createWasmBackend({ threads: 1, maxMemoryBytes: 64 << 20 });
  expect(capabilities.maxBufferBytes).toBe(64 << 20);
});
