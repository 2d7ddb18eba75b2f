import { readFileSync } from "node:fs";
import { compile, Device, linear, type PackedWeight, quantLinear, type Tensor } from "@weft/tensor-core";
import { integers } from "@weft/tensor-core/testing";
import { describe, expect, it } from "vitest";
import { createOnnxBackend } from "./backend.js";
import { hasRuntime, REASON } from "./testing/runtime.js";

/** What the process holds of memory that is no file's, in bytes. */
const anonymous = (): number => 1024 * Number(/^Anonymous:\s+(\d+)/m.exec(readFileSync("/proc/self/smaps_rollup", "utf8"))![1]);

const tested = hasRuntime() && process.platform === "linux" && process.arch === "x64";
const where = tested || !hasRuntime() ? REASON : " (skipped: packed forms are shared on x64, and Linux tells of memory)";

const WIDTH = 2048;

/** The first result of a function of 1, 2, 3 … rows, each a model of its own, and what the process holds when the first is there and at the end. */
const run = async (device: Device, out: number, layer: (x: Tensor) => Tensor): Promise<{ values: number[][]; grown: number }> => {
  const f = compile(layer, { device });
  const row = Float32Array.from({ length: WIDTH }, (_, i) => ((i * 37) % 101) / 50 - 1);
  const values: number[][] = [];
  let before = 0;
  for (const rows of [1, 2, 3, 4, 5]) {
    const x = Float32Array.from({ length: rows * WIDTH }, (_, i) => row[i % WIDTH]!);
    using given = device.tensor(x, { shape: [rows, WIDTH] });
    using y = await f(given);
    values.push([...((await y.data()) as Float32Array).subarray(0, out)]);
    if (rows === 1) before = anonymous();
  }
  return { values, grown: anonymous() - before };
};

describe.skipIf(!tested)(`what onnxruntime packs of a weight${where}`, () => {
  it("is held once for products of all numbers of rows", async () => {
    const OUT = 4096;
    using device = new Device(await createOnnxBackend({ threads: 1 }));
    const weight = device.tensor(
      Float32Array.from({ length: OUT * WIDTH }, (_, i) => ((i * 31) % 17) / 8 - 1),
      { shape: [OUT, WIDTH] },
    );
    const { values, grown } = await run(device, OUT, (x) => linear(x, weight));
    for (const [i, v] of values.at(-1)!.entries()) expect(Math.abs(v - values[0]![i]!)).toBeLessThan(1e-2);
    expect(grown, "of four models more over a weight of 33 MB").toBeLessThan(4 * OUT * WIDTH);
  });

  it("gives the same products of four bits in all models over it", async () => {
    const OUT = 512;
    const format = integers({ bits: 4, group: 32, zeros: "each" });
    const packedOf = (device: Device): PackedWeight => {
      const parts = Object.entries(format.parts([OUT, WIDTH])).map(([name, { shape, dtype }], at) => {
        const data = Float64Array.from({ length: shape[0]! * shape[1]! }, (_, i) => ((i + at) * 2654435761) % 251);
        return [name, device.tensor(name === "absmax" ? data.map((v) => (v + 1) / 1e4) : data, { shape, dtype })] as const;
      });
      return { format, shape: [OUT, WIDTH], parts: Object.fromEntries(parts) };
    };
    using device = new Device(await createOnnxBackend({ threads: 1, activations: "int8" }));
    const packed = packedOf(device);
    const { values } = await run(device, OUT, (x) => quantLinear(x, packed));
    for (const rows of values) expect(rows).toEqual(values[0]);
    // Exact: without any rounding of the other factor.
    using exact = new Device(await createOnnxBackend({ threads: 1 }));
    const weight = packedOf(exact);
    const wanted = (await run(exact, OUT, (x) => quantLinear(x, weight))).values[0]!;
    const size = Math.hypot(...wanted);
    expect(Math.hypot(...wanted.map((v, i) => v - values[4]![i]!))).toBeLessThan(0.02 * size);
  });
});
