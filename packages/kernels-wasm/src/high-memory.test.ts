import { Device, gather, matmul, mergeLowRank, mul, tensor } from "@weft/tensor-core";
import { afterAll, expect, it } from "vitest";
import { WasmBackend } from "./backend.js";

const backend = new WasmBackend({ threads: 2 });
const device = new Device(backend);
afterAll(() => device.dispose());

// Nothing below is left free, so that all that follows lies above 2^31, where an address no longer fits an i32.
backend.allocate(2 ** 31);

it("computes above 2 GiB: product, fused loop, indices, merge", async () => {
  const values = Float32Array.from({ length: 70 * 70 }, (_, i) => ((i * 37) % 11) - 5);
  const run = async (of: (v: Float32Array) => ReturnType<typeof tensor>): Promise<number[][]> => {
    const x = of(values);
    const index = tensor([2, 0, 69], { dtype: "i32" });
    const results = [matmul(x, x), mul(x, 2), gather(x, index, 0), mergeLowRank(x, matmul(x, x), x, { scale: 0.25 })];
    return Promise.all(results.map(async (r) => [...(await r.data())]));
  };
  expect(await run((v) => device.tensor(v, { shape: [70, 70] }))).toEqual(await run((v) => tensor(v, { shape: [70, 70] })));
});

it("finds what is not finite above 2 GiB", () => {
  const buffer = device.bufferOf(device.tensor(Float32Array.from([1, 2, NaN])));
  expect(backend.firstNonFinite(buffer, "f32", 3)).toBe(2);
});
