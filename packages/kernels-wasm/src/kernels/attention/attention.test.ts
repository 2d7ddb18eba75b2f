import { attention, Device, sum, type Tensor, transpose, vjp } from "@weft/tensor-core";
import { numbers } from "@weft/tensor-core/testing";
import { expect, it } from "vitest";
import { WasmBackend } from "../../backend.js";

const sample = (device: Device, shape: readonly number[], seed: number): Tensor =>
  device.tensor(
    numbers(
      shape.reduce((a, b) => a * b, 1),
      seed,
    ),
    { shape },
  );

it("keeps no matrix of scores, forward or backward", async () => {
  const [heads, length, width] = [4, 1024, 8];
  const scores = heads * length * length * 4;
  const device = new Device(new WasmBackend({ threads: 1, maxMemoryBytes: scores / 2 }));
  const inputs = [1, 2, 3].map((seed) => sample(device, [1, heads, length, width], seed)) as [Tensor, Tensor, Tensor];
  const y = attention(...inputs, { causal: true });
  const gradients = vjp([y], [sample(device, [1, heads, length, width], 4)], inputs);
  for (const t of [y, ...gradients]) expect(Number.isFinite(await sum(t).item())).toBe(true);
  device.dispose();
});

it("reads keys and values where they lie: a transposed cache is not copied", async () => {
  const [heads, length, width] = [8, 4096, 64];
  const bytes = heads * length * width * 4;
  // Room for keys and values, and for less than one of them more.
  const device = new Device(new WasmBackend({ threads: 1, maxMemoryBytes: 2.5 * bytes }));
  const [k, v] = [1, 2].map((seed) => sample(device, [1, length, heads, width], seed)) as [Tensor, Tensor];
  const turned = [k, v].map((t) => transpose(t, [0, 2, 1, 3])) as [Tensor, Tensor];
  const y = attention(sample(device, [1, heads, 1, width], 3), ...turned);
  expect(Number.isFinite(await sum(y).item())).toBe(true);
  device.dispose();
});
