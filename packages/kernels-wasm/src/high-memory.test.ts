import { cast, dequantize, Device, gather, INT8_ROWS, linear, matmul, mergeLowRank, mul, rows, sum, tensor } from "@weft/tensor-core";
import { firstDifference } from "@weft/tensor-core/testing";
import { afterAll, expect, it } from "vitest";
import { WasmBackend } from "./backend.js";

const backend = new WasmBackend({ threads: 2 });
const device = new Device(backend);
afterAll(() => device.dispose());

// Nothing below is left free, so that all that follows lies above 2^31, where an address no longer fits an i32.
backend.allocate(2 ** 31);

it("computes above 2 GiB: product, fused loop, indices, merge, packed weight", async () => {
  const values = Float32Array.from({ length: 70 * 70 }, (_, i) => ((i * 37) % 11) - 5);
  const run = async (of: (v: Float32Array) => ReturnType<typeof tensor>): Promise<number[][]> => {
    const x = of(values);
    const index = tensor([2, 0, 69], { dtype: "i32" });
    const parts = { codes: cast(x, "i8"), absmax: sum(x, { axes: [1] }) };
    const packed = dequantize({ format: INT8_ROWS, shape: [70, 70], parts });
    const products = [1, 3, 70].flatMap((m) => [linear(rows(x, 0, m), packed), matmul(rows(x, 0, m), packed)]);
    const results = [...products, matmul(x, x), mul(x, 2), gather(x, index, 0), mergeLowRank(x, matmul(x, x), x, { scale: 0.25 })];
    return Promise.all(results.map(async (r) => [...(await r.data())]));
  };
  const [got, expected] = [await run((v) => device.tensor(v, { shape: [70, 70] })), await run((v) => tensor(v, { shape: [70, 70] }))];
  // Sums of the packed weight's multiples of 1/127 are rounded; the rest are whole numbers.
  got.forEach((values, k) => {
    const tolerance = k < 6 ? 1e-4 : 0;
    expect(firstDifference(values, expected[k]!, { relative: tolerance, absolute: tolerance })).toBeUndefined();
  });
});

it("finds what is not finite above 2 GiB", async () => {
  const buffer = device.bufferOf(device.tensor(Float32Array.from([1, 2, NaN])));
  expect(await backend.firstNonFinite(buffer, "f32", 3)).toBe(2);
});
